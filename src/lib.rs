//! Mingfen 明分: aggregated payment with split settlement that a licensed institution can verify to the fen.
//!
//! The rooms follow the journey of an order. [`kernel`] is the trusted, pure core that an institution audits;
//! [`protocol`] speaks the outside world's formats; [`db`] knows both databases and nothing of the business.
//! Business rooms, from [`people`] to [`simulation`](self), import only the rooms above them in this list;
//! [`jobs`], [`gateway`], [`web`] and [`cli`] use them all, and nothing imports those four.
pub mod kernel;
pub mod protocol;

pub mod clock;
pub mod config;
pub mod db;
pub mod error;

pub mod channels;
pub mod institutions;
pub mod ledger;
pub mod merchants;
pub mod orders;
pub mod people;
pub mod reconciliation;
pub mod rules;
pub mod settlement;
pub mod splits;

pub mod app;
pub mod gateway;
pub mod jobs;
pub mod web;

pub mod cli;
pub mod sandbox;
