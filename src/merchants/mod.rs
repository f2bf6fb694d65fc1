//! merchants
