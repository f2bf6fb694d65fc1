//! Enums that are stored and exchanged as words.

/// Makes an enum whose every variant is one word: `ALL`, `as_str`, `parse`, `Display`.
#[macro_export]
macro_rules! text_enum {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $($(#[$word_doc])* $word,)+
        }

        impl $name {
            /// Every value, as declared.
            pub const ALL: &[$name] = &[$($name::$word),+];

            /// The word as it is stored and exchanged.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$word => $text,)+
                }
            }

            /// Reads what `as_str` writes.
            pub fn parse(text: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
