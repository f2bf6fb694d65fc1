//! An institution that speaks WeChat Pay APIv3 in partner mode (`channels.md`, section 1).
mod client;

pub use client::{Answer, BadSettings, Client, Evidence, Settings, Why};
