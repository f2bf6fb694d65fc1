//! The two codings of Alipay's messages: a request names its own, and is answered in it.
use encoding_rs::GBK;

/// The coding of a message's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// `utf-8`.
    Utf8,
    /// `gbk`, with `gb2312` and `gb18030`, which read alike.
    Gbk,
}

impl Charset {
    /// Reads the parameter `charset`, in either case; `None` for any other.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        if is(&["utf-8", "utf8"]) {
            return Some(Self::Utf8);
        }
        is(&["gbk", "gb2312", "gb18030"]).then_some(Self::Gbk)
    }

    /// The name as it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gbk => "gbk",
        }
    }

    /// Bytes as text; `None` when they are not of this coding. A byte order mark is a character like any other.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Gbk => {
                GBK.decode_without_bom_handling_and_without_replacement(bytes).map(|text| text.into_owned())
            }
        }
    }

    /// Text as bytes; what the coding cannot write is a `?`, as Alipay does it.
    #[must_use]
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Gbk => {
                let writable: String = text.chars().map(|c| if self.writes(c) { c } else { '?' }).collect();
                GBK.encode(&writable).0.into_owned()
            }
        }
    }

    /// Whether the coding has this character.
    #[must_use]
    pub fn writes(self, c: char) -> bool {
        match self {
            Self::Utf8 => true,
            // The one byte that browsers write for the euro is read by nobody else.
            Self::Gbk => c != '€' && !GBK.encode(c.encode_utf8(&mut [0; 4])).2,
        }
    }
}
