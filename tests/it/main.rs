//! All tests: one binary, run on SQLite and on PostgreSQL by `tests/run`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm
)]
#![allow(clippy::as_conversions, clippy::print_stdout, clippy::print_stderr, missing_docs)]
mod support;

mod channels;
mod kernel_files;
mod kernel_numbers;
mod kernel_refund;
mod kernel_rule;
mod kernel_split;
mod kernel_verify;
mod protocol_alipay_answer;
mod protocol_alipay_bill;
mod protocol_alipay_in;
mod protocol_alipay_out;
mod protocol_alipay_shapes;
mod protocol_alipay_told;
mod protocol_bill;
mod protocol_shapes;
mod protocol_wechat;
mod verify_size;

mod database;
mod login;
mod packages;
mod people;
mod plain;
mod schema;
mod security;
mod shell;
mod tidy;
mod together;

mod admission;
mod ages;
mod apart;
mod asked;
mod delivery;
mod door;
mod facts;
mod gateway;
mod gateway_alipay;
mod intake;
mod kills;
mod ledger;
mod lists;
mod numbers;
mod orders;
mod sandbox;
mod sandbox_alipay;
mod sandbox_alone;
mod seam;
mod serve;

mod backup;
mod bad_day;
mod clock_back;
mod corruption;
mod cut_size;
mod day;
mod day_order;
mod demo;
mod histories;
mod settle;
mod standing;
mod tasks;
mod two_wallets;
mod untold;
mod upgrade;

mod fair;
mod folder;
mod founding;
mod messages;
mod outages;
mod pgbouncer;
mod processes;
mod production;
mod rotation;
mod runtime_role;

mod both_wallets;
mod journeys;
mod pages;
mod products;
mod tenant_bills;
mod walk;
