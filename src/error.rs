//! What can go wrong, as callers see it: [`Error`] inside, [`Code`] outside.
use crate::db::DbError;

/// The failure of a command or query. It has changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Refused for a reason that the caller can act on; `detail` is fit for the caller's eyes.
    #[error("{} {}{}: {}", code.id(), code.sentence_en(), bracketed(detail), code.advice_en())]
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

fn bracketed(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
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

            /// Is it about a file that an institution sent?
            pub fn is_of_a_file(self) -> bool {
                self.id().starts_with("FIL-")
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
    NonceUsed = "AUT-111", 401, "请求已使用过" / "this signed request was used already",
        "请用新的随机串重新签名" / "sign it again with a new nonce";
    LoginBusy = "AUT-112", 429, "同时登录的人太多" / "too many people are logging in just now",
        "请几秒后再试" / "try again in a few seconds";
    // the platform's own keys
    MasterKeyWrong = "KEY-101", 500, "主密钥打不开数据库中的密钥" / "the master key does not open the keys in the database",
        "请使用建库时的主密钥" / "give the master key that the database was begun with";
    // institutions and merchants
    InstitutionInvalid = "INS-101", 400, "机构资料不正确" / "the institution's data are not valid",
        "请按提示修改后重试" / "correct what is named and try again";
    InstitutionUnknown = "INS-102", 404, "没有这个机构" / "there is no such institution",
        "请核对机构代码" / "check its code";
    MerchantInvalid = "MER-101", 400, "商户资料不正确" / "the merchant's data are not valid",
        "请按提示修改后重试" / "correct what is named and try again";
    // orders
    OutTradeNoUsed = "ORD-101", 409, "商户订单号已用于其他内容的订单" / "the number stands for an order with other content",
        "请更换商户订单号后重新下单" / "place the order under another out_trade_no";
    ApartEnded = "ORD-102", 409, "这笔付款已处理完毕" / "this payment came to its end already",
        "无需再处理，请刷新页面查看处理情况" / "nothing is left to do: load the page again to see how";
    ApartStill = "ORD-103", 409, "这笔付款仍与它的订单对不上" / "this payment still does not pay its order",
        "请机构核对所示原因，或登记线下处理情况" / "have the institution check what the page names as the reason, or note what was done elsewhere";
    ApartWords = "ORD-104", 400, "处理情况没有写清楚" / "what was done is not said",
        "请写明凭据，最多 200 字；归属其他订单时填写那笔订单的平台订单号" /
        "say it in at most 200 characters; of a payment that belongs to another order give our number of that other order";
    ApartRefunded = "ORD-105", 409, "机构称这笔付款已有退款" / "the institution says that this payment was refunded, in whole or in part",
        "不能入账，请登记处理情况" / "it cannot be entered: note what was done";
    ApartNotAsked = "ORD-106", 503, "现在问不到机构" / "the institution cannot be asked now",
        "没有改动任何记录，请稍后再试" / "nothing was changed: try again later";
    // files of an institution
    FileSignature = "FIL-101", 400, "文件签名缺失或不正确" / "the file's signature is missing or wrong",
        "请用登记的机构文件密钥重新签名后再提交" / "sign it with the institution's registered file key and send it again";
    FileDigest = "FIL-102", 400, "文件摘要与内容不符" / "the file's digest does not match its bytes",
        "文件可能被截断，请重新传送完整文件" / "it may be cut short: send the whole file again";
    FileTotals = "FIL-103", 400, "文件的笔数或金额合计不符" / "the file's counts or totals do not fit its lines",
        "请核对后以下一个序号重新出具" / "check it and make it again under the next number";
    FileParty = "FIL-104", 400, "文件不属于该机构与平台" / "the file is not between this institution and this platform",
        "请检查文件名与文件头中的机构与平台代码" / "check the codes in its name and header";
    FileDuplicate = "FIL-105", 409, "同名文件已导入且内容不同" / "another file was imported under this name",
        "已发布的文件不可更改，请使用下一个序号" / "a published file never changes: use the next number";
    FileFormat = "FIL-106", 400, "文件格式不正确" / "the file is malformed",
        "请按所示位置修正：ASCII 或约定编码、LF 换行、每行不超过 1024 字节" /
        "correct the place that is named: ASCII or the agreed encoding, LF, lines of at most 1,024 bytes";
    BundleOlder = "FIL-107", 409, "批准文件不比生效中的更新" / "the bundle is not newer than the one in force",
        "请签发一个更新的批准文件" / "issue a newer one";
    BundleContradicts = "FIL-108", 409, "批准文件改变了过去的批准" / "the bundle changes what was approved before",
        "批准只能新增或终止，请更正后重新签发" / "approvals only gain entries or ends: correct it and issue it again";
    ResultUnknownFile = "FIL-109", 404, "回盘对应的文件不存在" / "the result answers a file that was never published",
        "请核对回盘文件名" / "check the result's name";
    ResultOutOfTurn = "FIL-110", 409, "回盘的次序不正确" / "the result does not come in its turn",
        "请先提交受理回盘，再按序号提交处理结果" / "send the FIRST, then the FINAL ones by number";
    ResultContradicts = "FIL-111", 409, "回盘与所答文件不符" / "the result does not fit the file that it answers",
        "请核对行号、金额与先后状态后重新出具" / "check numbers, amounts and states, and make it again";
    // the day
    DayNotOver = "DAY-101", 409, "该业务日尚未结束" / "the business day is not over",
        "请在日终后再切日" / "cut it when it is over";
    BillUnavailable = "DAY-102", 503, "暂时取不到机构账单" / "the institution's bill cannot be fetched",
        "请稍后重试；切日可安全重复执行" / "try again later: the cut is safe to repeat";
    BillUnusable = "DAY-103", 422, "机构账单不可用" / "the institution's bill is unusable",
        "请把所示问题告知机构并重新获取账单" / "tell the institution what is named and fetch it again";
    NoBundle = "DAY-104", 409, "机构尚未签发批准文件" / "there is no approvals bundle in force",
        "请先导入机构签发的批准文件" / "import the institution's bundle first";
    DayBusy = "DAY-105", 409, "另一进程正在处理该机构的业务日" / "another process is at work on this institution's days",
        "请等它完成后再试" / "try again when it has finished";
    ClockBehind = "DAY-106", 409, "系统时钟早于上一个已发布文件" / "the clock stands before the file that was published last",
        "请校准时钟后再试" / "set the clock right and try again";
    DayOutOfTurn = "DAY-107", 409, "该业务日还没轮到切日" / "it is not this business day's turn",
        "业务日须按顺序切日：请核对日期，或先处理所列业务日" / "days are cut in order: check the date, or cut what is named first";
    TaskCancelled = "TSK-101", 409, "任务已被取消" / "the work was cancelled",
        "如仍需要，请重新发起" / "start it again if it is still wanted";
    TaskAbandoned = "TSK-102", 500, "执行任务的进程已中断" / "the process that did the work is gone",
        "切日会自动重做；其他任务请重新发起" / "a cut is done again by itself; start other work again";
    TaskOver = "TSK-103", 409, "任务已经结束" / "the work is over",
        "无需取消，请刷新页面查看结果" / "there is nothing to cancel: load the page again";
    LedgerBroken = "LED-101", 409, "账簿与订单不一致" / "the ledger and the orders disagree",
        "请运行 mingfen check 并查明原因，切日前必须一致" / "run `mingfen check` and find out why: a day is cut only when they agree";
    GateClosed = "SET-101", 409, "结算闸门未打开" / "the gate of the day is closed",
        "请先补齐所列事项再结算" / "what is named must happen first";
    SettledLater = "SET-102", 409, "其后的业务日已结算" / "a later day has been settled",
        "其迟到文件会进入下一个结算文件" / "its late files go into the next settlement";
    ReceiverUnknown = "SET-103", 409, "接收方不在批准文件中" / "a receiver is not in the bundle",
        "请机构在批准文件中补登该接收方" / "ask the institution to add it to its bundle";
}
