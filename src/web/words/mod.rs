//! Every Chinese and English word of the pages (`ux.md`, section 7): fixed texts by area, a field for each so that
//! neither language can lack one; and in [`say`] the sentences that have data in them.
pub mod say;

/// Declares an area: `key: "中文", "English";`, both checked when this is compiled.
macro_rules! texts {
    ($($key:ident: $zh:literal, $en:literal;)*) => {
        /// The area's fixed texts in one language, by their place or meaning.
        #[allow(missing_docs)]
        #[derive(Debug)]
        pub struct Texts { $(pub $key: &'static str,)* }
        /// Simplified Chinese.
        pub static ZH: Texts = Texts { $($key: $zh,)* };
        /// English.
        pub static EN: Texts = Texts { $($key: $en,)* };
        /// Key, Chinese, English.
        pub(super) static ALL: &[(&str, &str, &str)] = &[$((stringify!($key), $zh, $en)),*];
        $(const _: () = assert!(!$zh.is_empty() && super::is_english($en), stringify!($key));)*
    };
}
use texts;

/// Declares the catalogue from its areas, each a file of this folder.
macro_rules! areas {
    ($($area:ident)*) => {
        $(pub mod $area;)*
        /// Every fixed text of the site in one language, area by area.
        #[allow(missing_docs)]
        #[derive(Debug)]
        pub struct Words { $(pub $area: &'static $area::Texts,)* }
        /// Simplified Chinese.
        pub static ZH: Words = Words { $($area: &$area::ZH,)* };
        /// English.
        pub static EN: Words = Words { $($area: &$area::EN,)* };

        /// Every fixed text: `area.key`, Chinese, English.
        #[must_use]
        pub fn every() -> Vec<(String, &'static str, &'static str)> {
            let mut all = Vec::new();
            $(all.extend($area::ALL.iter().map(|(key, zh, en)| {
                (format!("{}.{key}", stringify!($area)), *zh, *en)
            }));)*
            all
        }
    };
}

areas! { shell kit places terms login faults desk orders order rules exceptions files settlements inbox tasks notices }

/// Whether a text can be English: it is not empty and has no Chinese character.
const fn is_english(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        // Chinese characters start with E4 to E9 in UTF-8, full-width marks with EF; arrows and dashes lie below.
        if *first >= 0xE4 && *first <= 0xEF {
            return false;
        }
        rest = tail;
    }
    !text.is_empty()
}
