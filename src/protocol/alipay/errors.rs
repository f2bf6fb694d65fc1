//! Codes of `gateway.do`: HTTP is 200 for all of them (`channels.md` 0.9, 2.1).
use mingfen_kernel::text_enum;

text_enum! {
    /// The public code of an answer.
    pub enum Code {
        /// Done.
        Success = "10000",
        /// The payer is asked for a password (`alipay.trade.pay`).
        WaitUser = "10003",
        /// The service is not available: what became of the request is unknown.
        Unknown = "20000",
        /// A token of authorisation is refused.
        Unauthorised = "20001",
        /// A common parameter is missing.
        Missing = "40001",
        /// A common parameter is malformed.
        Invalid = "40002",
        /// The call was understood and refused.
        Failed = "40004",
        /// Too many calls; later with the same numbers.
        Limited = "40005",
        /// The caller may not do this.
        Forbidden = "40006",
    }
}

impl Code {
    /// `msg` of an answer.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::WaitUser => "order success pay inprocess",
            Self::Unknown => "Service Currently Unavailable",
            Self::Unauthorised => "Insufficient Token Permissions",
            Self::Missing => "Missing Required Arguments",
            Self::Invalid => "Invalid Arguments",
            Self::Failed => "Business Failed",
            Self::Limited => "Call Limited",
            Self::Forbidden => "Insufficient Permissions",
        }
    }
}

text_enum! {
    /// What exactly is wrong: those that we answer and those that an institution may answer. Others are refusals too.
    pub enum SubCode {
        /// Of common parameters.
        MissingMethod = "isv.missing-method",
        /// See [`SubCode::MissingMethod`].
        MissingSignature = "isv.missing-signature",
        /// See [`SubCode::MissingMethod`].
        MissingSignatureType = "isv.missing-signature-type",
        /// See [`SubCode::MissingMethod`].
        MissingAppId = "isv.missing-app-id",
        /// See [`SubCode::MissingMethod`].
        MissingTimestamp = "isv.missing-timestamp",
        /// See [`SubCode::MissingMethod`].
        MissingVersion = "isv.missing-version",
        /// Any parameter without a code of its own.
        InvalidParameter = "isv.invalid-parameter",
        /// No such call.
        InvalidMethod = "isv.invalid-method",
        /// Another format than JSON.
        InvalidFormat = "isv.invalid-format",
        /// Another `sign_type` than RSA2.
        InvalidSignatureType = "isv.invalid-signature-type",
        /// The signature does not cover the request.
        InvalidSignature = "isv.invalid-signature",
        /// No such application.
        InvalidAppId = "isv.invalid-app-id",
        /// Malformed, or more than five minutes off.
        InvalidTimestamp = "isv.invalid-timestamp",
        /// Unknown, or the text is not of it.
        InvalidCharset = "isv.invalid-charset",
        /// The application may not make this call.
        NoPermission = "isv.insufficient-isv-permissions",
        /// Too many calls of this application.
        CallLimited = "isv.app-call-limited",
        /// What became of the request is unknown.
        UnknownError = "isp.unknow-error",
        /// The day has no bill.
        BillNotExist = "isp.bill_not_exist",
        /// The outcome is unknown; ask, or try again with the same numbers.
        SystemError = "ACQ.SYSTEM_ERROR",
        /// A parameter of the call is missing, malformed or out of range.
        BizParameter = "ACQ.INVALID_PARAMETER",
        /// The caller has not signed up for this product.
        AccessForbidden = "ACQ.ACCESS_FORBIDDEN",
        /// A forbidden word in the order's texts.
        ForbiddenWord = "ACQ.EXIST_FORBIDDEN_WORD",
        /// The merchant is refused.
        PartnerError = "ACQ.PARTNER_ERROR",
        /// More than the channel takes for one order.
        TotalFeeExceed = "ACQ.TOTAL_FEE_EXCEED",
        /// The number was used for an order of other content.
        ContextInconsistent = "ACQ.CONTEXT_INCONSISTENT",
        /// The order is paid.
        TradeHasSuccess = "ACQ.TRADE_HAS_SUCCESS",
        /// The order is closed.
        TradeHasClose = "ACQ.TRADE_HAS_CLOSE",
        /// The order is over: nothing can be refunded any more.
        TradeHasFinished = "ACQ.TRADE_HAS_FINISHED",
        /// No such order, or nobody scanned it yet.
        TradeNotExist = "ACQ.TRADE_NOT_EXIST",
        /// The order's state does not allow this.
        TradeStatusError = "ACQ.TRADE_STATUS_ERROR",
        /// The code that the payer shows is used, expired or none.
        AuthCodeInvalid = "ACQ.PAYMENT_AUTH_CODE_INVALID",
        /// The payer has not enough.
        BalanceNotEnough = "ACQ.BUYER_BALANCE_NOT_ENOUGH",
        /// See [`SubCode::BalanceNotEnough`].
        BankcardBalanceNotEnough = "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
        /// The payer has switched payment by balance off.
        BalancePaymentDisabled = "ACQ.ERROR_BALANCE_PAYMENT_DISABLE",
        /// Payer and merchant are the same.
        BuyerSellerEqual = "ACQ.BUYER_SELLER_EQUAL",
        /// The order is another payer's.
        BuyerNotMatch = "ACQ.TRADE_BUYER_NOT_MATCH",
        /// The payer's account is blocked.
        BuyerForbidden = "ACQ.BUYER_ENABLE_STATUS_FORBID",
        /// The payer's limit of a day.
        BuyerDayLimit = "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR",
        /// The payer's limit of a month.
        BuyerMonthLimit = "ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR",
        /// The merchant's limit of a day or a month.
        BeyondRestriction = "ACQ.BEYOND_PAY_RESTRICTION",
        /// The merchant's limit of one order.
        BeyondReceiptRestriction = "ACQ.BEYOND_PER_RECEIPT_RESTRICTION",
        /// The merchant is blocked.
        SellerBlocked = "ACQ.SELLER_BEEN_BLOCKED",
        /// The payment is refused as a risk.
        HasRisk = "ACQ.PAYMENT_REQUEST_HAS_RISK",
        /// The payer has nothing to pay with.
        NoInstrument = "ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE",
        /// The payment failed.
        PaymentFail = "ACQ.PAYMENT_FAIL",
        /// The merchant has not enough for the refund.
        SellerBalanceNotEnough = "ACQ.SELLER_BALANCE_NOT_ENOUGH",
        /// More than is left of the order.
        RefundAmountExceeded = "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
        /// The order takes no refund.
        RefundNotAllowed = "ACQ.TRADE_NOT_ALLOW_REFUND",
        /// The refund's number was used with other content.
        DiscordantRepeat = "ACQ.DISCORDANT_REPEAT_REQUEST",
        /// The refund's amount is out of range.
        RefundFeeError = "ACQ.REFUND_FEE_ERROR",
        /// The order's money is frozen.
        Frozen = "ACQ.REASON_TRADE_BEEN_FREEZEN",
    }
}

impl SubCode {
    /// The public code that goes with it.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::MissingMethod
            | Self::MissingSignature
            | Self::MissingSignatureType
            | Self::MissingAppId
            | Self::MissingTimestamp
            | Self::MissingVersion => Code::Missing,
            Self::InvalidParameter
            | Self::InvalidMethod
            | Self::InvalidFormat
            | Self::InvalidSignatureType
            | Self::InvalidSignature
            | Self::InvalidAppId
            | Self::InvalidTimestamp
            | Self::InvalidCharset => Code::Invalid,
            Self::NoPermission => Code::Forbidden,
            Self::CallLimited => Code::Limited,
            Self::UnknownError => Code::Unknown,
            Self::BillNotExist
            | Self::SystemError
            | Self::BizParameter
            | Self::AccessForbidden
            | Self::ForbiddenWord
            | Self::PartnerError
            | Self::TotalFeeExceed
            | Self::ContextInconsistent
            | Self::TradeHasSuccess
            | Self::TradeHasClose
            | Self::TradeHasFinished
            | Self::TradeNotExist
            | Self::TradeStatusError
            | Self::AuthCodeInvalid
            | Self::BalanceNotEnough
            | Self::BankcardBalanceNotEnough
            | Self::BalancePaymentDisabled
            | Self::BuyerSellerEqual
            | Self::BuyerNotMatch
            | Self::BuyerForbidden
            | Self::BuyerDayLimit
            | Self::BuyerMonthLimit
            | Self::BeyondRestriction
            | Self::BeyondReceiptRestriction
            | Self::SellerBlocked
            | Self::HasRisk
            | Self::NoInstrument
            | Self::PaymentFail
            | Self::SellerBalanceNotEnough
            | Self::RefundAmountExceeded
            | Self::RefundNotAllowed
            | Self::DiscordantRepeat
            | Self::RefundFeeError
            | Self::Frozen => Code::Failed,
        }
    }

    /// `sub_msg` of an answer, in Alipay's own words.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::MissingMethod => "缺少方法名参数",
            Self::MissingSignature => "缺少签名参数",
            Self::MissingSignatureType => "缺少签名类型参数",
            Self::MissingAppId => "缺少appId参数",
            Self::MissingTimestamp => "缺少时间戳参数",
            Self::MissingVersion => "缺少版本参数",
            Self::InvalidParameter => "参数无效",
            Self::InvalidMethod => "不存在的方法名",
            Self::InvalidFormat => "无效的数据格式",
            Self::InvalidSignatureType => "无效的签名类型",
            Self::InvalidSignature => "验签出错",
            Self::InvalidAppId => "无效的appId参数",
            Self::InvalidTimestamp => "非法的时间戳参数",
            Self::InvalidCharset => "字符集错误",
            Self::NoPermission => "应用权限不足",
            Self::CallLimited => "应用调用次数超限",
            Self::UnknownError => "系统繁忙",
            Self::BillNotExist => "账单不存在",
            Self::SystemError => "接口返回错误",
            Self::BizParameter => "参数无效",
            Self::AccessForbidden => "无权限使用接口",
            Self::ForbiddenWord => "订单信息中包含违禁词",
            Self::PartnerError => "应用APP_ID填写错误",
            Self::TotalFeeExceed => "订单总金额超过限额",
            Self::ContextInconsistent => "交易信息被篡改",
            Self::TradeHasSuccess => "交易已被支付",
            Self::TradeHasClose => "交易已经关闭",
            Self::TradeHasFinished => "交易已完结",
            Self::TradeNotExist => "交易不存在",
            Self::TradeStatusError => "交易状态不合法",
            Self::AuthCodeInvalid => "支付失败，获取顾客账户信息失败，请顾客刷新付款码后重新收款",
            Self::BalanceNotEnough => "买家余额不足",
            Self::BankcardBalanceNotEnough => "用户银行卡余额不足",
            Self::BalancePaymentDisabled => "余额支付功能关闭",
            Self::BuyerSellerEqual => "买卖家不能相同",
            Self::BuyerNotMatch => "交易买家不匹配",
            Self::BuyerForbidden => "买家状态非法",
            Self::BuyerDayLimit => "买家付款日限额超限",
            Self::BuyerMonthLimit => "买家付款月额度超限",
            Self::BeyondRestriction => "商户收款额度超限",
            Self::BeyondReceiptRestriction => "商户收款金额超过单笔限额",
            Self::SellerBlocked => "商家账号被冻结",
            Self::HasRisk => "支付有风险",
            Self::NoInstrument => "没用可用的支付工具",
            Self::PaymentFail => "支付失败",
            Self::SellerBalanceNotEnough => "卖家余额不足",
            Self::RefundAmountExceeded => "退款金额超限",
            Self::RefundNotAllowed => "当前交易不允许退款",
            Self::DiscordantRepeat => "请求信息不一致",
            Self::RefundFeeError => "交易退款金额有误",
            Self::Frozen => "请求退款的交易被冻结",
        }
    }
}
