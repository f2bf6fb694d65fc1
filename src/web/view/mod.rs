//! What several roles see, each in its own scope: plain data for the templates, filled from what the rooms answer.
pub mod apart;
pub mod awaited;
pub mod drawn;
mod event;
pub mod explain;
pub mod file;
pub mod flow;
pub mod notice;
pub mod order;
pub mod orders;
pub mod split;
pub mod still;
pub mod unsplit;
