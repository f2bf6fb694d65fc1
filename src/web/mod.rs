//! The browser: pages for the platform, its merchants and its institutions, made on the server. Every page works
//! without scripts and under a policy that allows no inline style or script (`ux.md`, section 0).
//!
//! A page is one file of its role's folder, with its query, its struct and its handler; `view` holds what several roles
//! see, `kit` what every page is made of, and every word of either language stands in `words`.
mod admin;
pub mod door;
mod health;
mod institution;
mod kit;
mod login;
mod merchant;
mod routes;
mod site;
mod view;
pub mod words;

pub use kit::headers::{RequestId, observe};
pub use routes::{ADDRESSES, Address, configure};
pub use site::site;
