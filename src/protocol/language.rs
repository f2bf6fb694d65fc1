//! In which language a merchant's system speaks with us (`counter.md`, "Words"): it is answered and told in the same.
use mingfen_kernel::text_enum;

text_enum! {
    /// A language of merchants' systems; an order keeps the one in which it was asked for.
    pub enum Language {
        /// WeChat Pay APIv3 of a platform that acts for its merchants.
        WechatPartner = "wechat_v3",
        /// WeChat Pay APIv3 of a merchant that acts for itself.
        WechatDirect = "wechat_v3_direct",
        /// Alipay's `gateway.do`.
        AlipayOpenapi = "alipay_openapi",
    }
}
