//! What can go wrong, as callers see it: [`Error`] inside, [`Code`] outside.
use crate::db::DbError;

/// The failure of a command or query. It has changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Refused for a reason that the caller can act on; `detail` is fit for the caller's eyes.
    #[error("{} {}: {detail}", code.id(), code.sentence_en())]
    Refused {
        /// The stable code.
        code: Code,
        /// What exactly, without personal data or secrets.
        detail: String,
    },
    /// There is no such object, or none within the caller's scope.
    #[error("not found")]
    NotFound,
    /// The database refused or is gone.
    #[error(transparent)]
    Db(DbError),
    /// A file could not be read or written.
    #[error("a file could not be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// A bug or broken data: for the log, not for the caller.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// A refusal with its detail.
    pub fn refused(code: Code, detail: impl Into<String>) -> Self {
        Error::Refused { code, detail: detail.into() }
    }

    /// A bug or broken data, told by another error.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Error::Internal(error.to_string())
    }

    /// Was a unique key stored already?
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Error::Db(DbError::Duplicate))
    }
}

/// Declares [`Code`]: `Name = "ID", HTTP status, zh sentence / en sentence, zh what to do / en what to do;`.
macro_rules! codes {
    ($($name:ident = $id:literal, $status:literal, $zh:literal / $en:literal, $zh_do:literal / $en_do:literal;)*) => {
        /// The one list of stable codes that pages, APIs and commands show. A code is never given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $id, "` (", $status, "): ", $en)] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The stable code, as `AUT-101`.
            pub const fn id(self) -> &'static str {
                match self { $(Code::$name => $id,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }

            /// What happened, in Chinese.
            pub const fn sentence_zh(self) -> &'static str {
                match self { $(Code::$name => $zh,)* }
            }

            /// What happened, in English.
            pub const fn sentence_en(self) -> &'static str {
                match self { $(Code::$name => $en,)* }
            }

            /// What to do, in Chinese.
            pub const fn advice_zh(self) -> &'static str {
                match self { $(Code::$name => $zh_do,)* }
            }

            /// What to do, in English.
            pub const fn advice_en(self) -> &'static str {
                match self { $(Code::$name => $en_do,)* }
            }
        }
    };
}

codes! {
    // people
    LoginWrong = "AUT-101", 401, "登录名或密码不正确" / "the login or the password is wrong",
        "请重新输入；忘记密码请联系管理员重置" / "try again, or ask an administrator to reset the password";
    LoginTooOften = "AUT-102", 429, "尝试次数过多" / "too many attempts",
        "请稍候一分钟再试" / "wait a minute and try again";
    SessionEnded = "AUT-103", 401, "登录已失效" / "the session has ended",
        "请重新登录" / "log in again";
    FormStale = "AUT-104", 403, "页面已过期或请求来源不可信" / "the form is out of date or comes from elsewhere",
        "请刷新页面后重新提交" / "reload the page and send it again";
    NotAllowed = "AUT-105", 403, "当前角色无权执行此操作" / "this role may not do that",
        "请联系有权限的同事" / "ask a colleague whose role may";
    PasswordWeak = "AUT-106", 400, "密码太短" / "the password is too short",
        "请使用至少 12 个字符" / "use at least 12 characters";
    LoginTaken = "AUT-107", 409, "登录名已被使用" / "the login is taken",
        "请换一个登录名" / "choose another login";
    UserInvalid = "AUT-108", 400, "用户资料不正确" / "the user's data are not valid",
        "请检查登录名、角色与所属机构或商户" / "check login, role, and the institution or merchant it belongs to";
    CredentialUnknown = "AUT-109", 404, "没有这个 API 凭证" / "there is no such API credential",
        "请核对商户号与证书序列号" / "check the merchant number and the certificate serial";
    CredentialInvalid = "AUT-110", 400, "API 凭证资料不正确" / "the API credential's data are not valid",
        "请按提示修改后重试" / "correct what is named and try again";
    // institutions and merchants
    InstitutionInvalid = "INS-101", 400, "机构资料不正确" / "the institution's data are not valid",
        "请按提示修改后重试" / "correct what is named and try again";
    MerchantInvalid = "MER-101", 400, "商户资料不正确" / "the merchant's data are not valid",
        "请按提示修改后重试" / "correct what is named and try again";
    // orders
    OutTradeNoUsed = "ORD-101", 409, "商户订单号已用于其他内容的订单" / "the number stands for an order with other content",
        "请更换商户订单号后重新下单" / "place the order under another out_trade_no";
}
