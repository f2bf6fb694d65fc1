//! Mingfen 明分: aggregated payment with split settlement that a licensed institution can verify to the fen.
//!
//! The map of the house; the tidy test reads it and the README repeats it. Rooms follow the journey of an order, and a
//! room imports only rooms with smaller numbers. Four packages: the first three rooms are packages of their own, so
//! that the compiler keeps them pure.
//!
//!  1. `kernel` the trusted kernel, what an institution audits: money, rules, splits, files, their recomputation
//!  2. `protocol` codecs of the outside world: WeChat Pay APIv3, Alipay OpenAPI, keys and signatures
//!  3. `verify` the institution's own program: recomputes a day from files
//!  4. `db` both databases, transactions, schema; nothing of the business
//!  5. `outbox` what goes out: rows that any room below writes in its own transaction
//!  6. `people` users, roles, sessions, audit trail
//!  7. `institutions` licensed institutions: profiles, channels, keys of both sides
//!  8. `exchange` signed files: published, answered, taken in; where each of ours stands
//!  9. `approvals` what an institution approved: bundles in force
//! 10. `merchants` tenants and their API credentials, sub-merchants, receivers
//! 11. `rules` approved rule versions
//! 12. `ledger` the memo ledger: entries a batch or a file, chained per custody day; balances
//! 13. `channels` OUT: an institution's channel in its language, one variant each
//! 14. `orders` orders, intake of payments
//! 15. `reconciliation` the institution's bill against our own record
//! 16. `splits` the cut: proposals, exceptions, SPL files
//! 17. `settlement` the netted settlement of a day, STL files, the gate; what results say of the money
//! 18. `inbox` what an institution sends: bundles, bills, results
//! 19. `notices` who is told what: delivery of the outbox, in each language
//! 20. `tasks` what runs by itself: queries, file import, the daily round
//! 21. `check` every invariant of database, files and chains
//! 22. `gateway` IN: merchants' own systems
//! 23. `web` the browser pages
//! 24. `sandbox` a licensed institution in a box, for the demo and the tests; knows the first three rooms only
//! 25. `bench` what `mingfen bench` measures, and its anchors
//! 26. `cli` one file per command
//!
//! Everybody may use `clock`, `config`, `disk`, `error` and `turns`; from `notices` on also `app`, the state that handlers
//! and tasks share.
pub use mingfen_kernel as kernel;
pub use mingfen_protocol as protocol;
pub use mingfen_verify as verify;

pub mod clock;
pub mod config;
pub mod disk;
pub mod error;
pub mod turns;

pub mod db;

pub mod approvals;
pub mod channels;
pub mod exchange;
pub mod inbox;
pub mod institutions;
pub mod ledger;
pub mod merchants;
pub mod orders;
pub mod outbox;
pub mod people;
pub mod reconciliation;
pub mod rules;
pub mod settlement;
pub mod splits;

pub mod app;

pub mod check;
pub mod gateway;
pub mod notices;
pub mod tasks;
pub mod web;

pub mod bench;
pub mod cli;
pub mod sandbox;
