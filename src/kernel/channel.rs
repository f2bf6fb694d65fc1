//! Whose wallet pays, and how: the words in which rules, fees, files and the record name them.
use std::borrow::Cow;
use std::fmt;

use crate::text;
use crate::text_enum;

text_enum! {
    /// A channel that orders can be placed at. Bills may tell of others (`split.md`, "Numbers, times, text").
    pub enum ChannelName {
        /// WeChat Pay.
        Wechat = "wechat",
        /// Alipay.
        Alipay = "alipay",
    }
}

/// How a payer pays: `[a-z0-9_]{1,20}`. The constants are what orders can be placed for; bills may tell of others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Product(Cow<'static, str>);

impl Product {
    /// The payer scans a code.
    pub const NATIVE: Product = Product(Cow::Borrowed("native"));
    /// Inside the wallet, mini programs too.
    pub const JSAPI: Product = Product(Cow::Borrowed("jsapi"));
    /// From another application on the payer's phone.
    pub const APP: Product = Product(Cow::Borrowed("app"));
    /// From a browser on the payer's phone.
    pub const H5: Product = Product(Cow::Borrowed("h5"));
    /// The payer shows a code.
    pub const CODEPAY: Product = Product(Cow::Borrowed("codepay"));

    /// Reads a word; `None` when it is none.
    pub fn parse(word: &str) -> Option<Self> {
        text::is_channel(word).then(|| Self(Cow::Owned(word.to_owned())))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
