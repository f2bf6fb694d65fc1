//! How a body travels: a signature covers the bytes that travelled, so none is ever taken in another coding.

/// Whether a message's body is compressed or otherwise coded, by the values of its `Content-Encoding` headers.
#[must_use]
pub fn is_coded<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let mut codings =
        values.into_iter().flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}
