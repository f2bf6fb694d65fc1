//! What a settlement takes in and what keeps its gate closed, when days overlap and results come late.
use std::collections::BTreeMap;
use std::fs;

use mingfen::app::App;
use mingfen::error::Error;
use mingfen::exchange::{self, ExchangedFile, Incoming};
use mingfen::institutions;
use mingfen::kernel::calendar::{BusinessDay, Instant};
use mingfen::kernel::file::ret::{RetCode, RetEncoding, RetHeader, RetLine, RetStatus, RetWriter};
use mingfen::kernel::file::{FileName, ResultName, Stage};
use mingfen::kernel::money::Fen;
use mingfen::kernel::state::FileState;
use mingfen::protocol::crypto::PrivateKey;
use mingfen::settlement::LineKind;
use mingfen::{inbox, ledger, settlement, splits};
use serde_json::json;

use crate::support::finished_day::FinishedDay;
use crate::support::shop::believe_files_of;

/// The answer to one line: its number, what happened, and the amount done in fen.
pub type Line = (i32, RetStatus, i64);

/// An institution's desk that the test holds the key of.
pub struct Hand<'a> {
    f: &'a FinishedDay,
    pub app: &'a App,
    key: PrivateKey,
}

impl<'a> Hand<'a> {
    /// From now on the platform believes this key's files only.
    pub fn over(f: &'a FinishedDay) -> Self {
        let key = PrivateKey::generate().unwrap();
        believe_files_of(&f.world.app, f.world.institution, &key);
        Self::holding(f, key)
    }

    /// With a key that the platform believes as it may.
    pub fn holding(f: &'a FinishedDay, key: PrivateKey) -> Self {
        Self { f, app: &f.world.app, key }
    }

    fn signed(&self, name: &str, bytes: Vec<u8>) -> Incoming {
        let signature = self.key.sign_sha256(&bytes).unwrap();
        Incoming::signed(name, bytes, signature)
    }

    pub fn result(&self, file: &ExchangedFile, stage: Stage, code: RetCode, lines: &[Line]) -> Incoming {
        let name = ResultName { file: FileName::parse(&file.name).unwrap(), stage };
        let done = lines.iter().filter(|(_, status, _)| *status == RetStatus::Success);
        let header = RetHeader {
            name: name.clone(),
            file_digest: file.sha256,
            code,
            lines: lines.len() as u32,
            success_total: Fen::new(done.map(|(_, _, amount)| amount).sum()),
            created_at: Instant::parse("2026-11-25T12:00:00+08:00").unwrap(),
        };
        let mut writer = RetWriter::new(Vec::new(), RetEncoding::Utf8, header).unwrap();
        for (n, status, amount) in lines {
            let line = RetLine {
                n: *n as u32,
                status: *status,
                amount: Fen::new(*amount),
                inst_serial: "".into(),
                path: "".into(),
                done_at: None,
                err_code: "".into(),
                err_msg: "".into(),
            };
            writer.line(&line).unwrap();
        }
        self.signed(&name.to_string(), writer.finish().unwrap().0)
    }

    pub fn receive(&self, incoming: &Incoming) -> Result<inbox::Received, Error> {
        self.app.db.write_blocking(|tx| {
            let institution = institutions::by_id(tx, self.f.world.institution)?;
            inbox::receive(tx, &institution, incoming, self.app.clock.now())
        })
    }

    pub fn answers(&self, file: &ExchangedFile, stage: Stage, lines: &[Line]) {
        self.receive(&self.result(file, stage, RetCode::Accepted, lines)).unwrap();
    }

    /// Takes a split file and executes every order of it.
    pub fn executes(&self, spl: &ExchangedFile) {
        self.answers(spl, Stage::First, &[]);
        self.answers(spl, Stage::Final(1), &self.all_succeed(spl));
    }

    pub fn all_succeed(&self, spl: &ExchangedFile) -> Vec<Line> {
        let amounts = self.app.db.read_blocking(|tx| splits::order_amounts(tx, spl)).unwrap();
        amounts.into_iter().map(|(n, amount)| (n, RetStatus::Success, amount.get())).collect()
    }

    /// Cuts a day that is over; gives its last split file.
    pub async fn cut(&self, day: BusinessDay) -> ExchangedFile {
        self.f.world.sandbox("POST", "/sandbox/bills", &json!({"day": day.to_string()})).await.unwrap();
        let desk = self.app.desk(self.f.world.institution).await.unwrap();
        let channel = self
            .app
            .channel(self.f.world.institution, mingfen::kernel::channel::ChannelName::Wechat)
            .await
            .unwrap();
        let report = splits::cut(
            &self.app.db,
            &self.app.clock,
            &desk,
            std::slice::from_ref(&channel),
            day,
            &splits::Cutting::default(),
        )
        .await
        .unwrap();
        report.files.last().unwrap().clone()
    }

    pub async fn settle(&self, day: BusinessDay) -> Result<ExchangedFile, Error> {
        let desk = self.app.desk(self.f.world.institution).await?;
        Ok(settlement::settle(&self.app.db, &self.app.clock, &desk, day).await?.file)
    }

    pub async fn closed(&self, day: BusinessDay, why: &str) {
        let told = self.settle(day).await.unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }

    /// The ledger's invariants; what each account holds, by its name and party.
    async fn books(&self) -> BTreeMap<(String, String), i64> {
        mingfen::tasks::roll_up(self.app).await.unwrap();
        let institution = self.f.world.institution;
        let (breaks, balances) = self
            .app
            .db
            .read_blocking(|tx| {
                let mut breaks = ledger::breaks(tx, institution)?;
                breaks.extend(ledger::chain_breaks(tx)?);
                Ok((breaks, ledger::balances(tx, institution)?))
            })
            .unwrap();
        assert_eq!(breaks, Vec::<String>::new());
        let told = balances.into_iter();
        told.map(|((account, party), fen)| ((account.as_str().to_owned(), party), fen.get())).collect()
    }

    pub fn state(&self, file: &ExchangedFile) -> FileState {
        self.app.db.read_blocking(|tx| exchange::file_state(tx, file.id)).unwrap()
    }
}

pub fn morning_after(f: &FinishedDay, day: BusinessDay) {
    f.world.app.clock.set(day.next().start().plus(11 * 3600));
}

#[actix_web::test]
async fn a_closed_day_keeps_the_days_after_it_closed_and_a_late_result_does_not_change_a_written_file() {
    let f = FinishedDay::new(12).await;
    let hand = Hand::over(&f);
    let first = f.world.app.clock.today();
    let (second, third) = (first.next(), first.next().next());
    morning_after(&f, second);
    let (early, late) = (hand.cut(first).await, hand.cut(second).await);
    hand.executes(&late);
    hand.closed(second, &format!("{} waits for its FIRST", early.name)).await;
    hand.receive(&hand.result(&early, Stage::First, RetCode::Verify, &[])).unwrap();
    hand.closed(second, &format!("{} is void", early.name)).await;
    let early = hand.cut(first).await;
    hand.answers(&early, Stage::First, &[]);
    hand.closed(second, &format!("{} waits for FINAL", early.name)).await;
    let done = hand.all_succeed(&early);
    hand.answers(&early, Stage::Final(1), &done);
    let stl = hand.settle(first).await.unwrap();

    // One line fails, and only then is the next split file made.
    hand.answers(&stl, Stage::First, &[]);
    let paid = |books: &BTreeMap<(String, String), i64>, account: &str, party: &str| {
        books.get(&(account.to_owned(), party.to_owned())).copied().unwrap_or(0)
    };
    let line = hand.app.db.read_blocking(|tx| settlement::lines(tx, stl.id)).unwrap();
    let line = line.iter().find(|line| line.kind == LineKind::Settled && line.n == 1).unwrap().clone();
    let before = hand.books().await;
    assert_eq!(paid(&before, "PARTY_IN_SETTLEMENT", &line.receiver), -line.amount.get());
    hand.answers(&stl, Stage::Final(1), &[(1, RetStatus::Failed, 0)]);
    let after = hand.books().await;
    assert_eq!(paid(&after, "PARTY_IN_SETTLEMENT", &line.receiver), 0);
    let settleable = |books| paid(books, "PARTY_SETTLEABLE", &line.receiver);
    assert_eq!(settleable(&after), settleable(&before) - line.amount.get());
    morning_after(&f, third);
    let last = hand.cut(third).await;
    hand.executes(&last);
    let name = hand.settle(third).await.unwrap().name;
    let listed = |text: String| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("I|"));
        lines.map(|line| line.split('|').nth(1).unwrap().to_owned()).collect()
    };
    let failed = format!("{}.final.0001.ret", stl.name);
    assert_eq!(listed(f.text(&name)), [late.name.clone(), last.name, failed]);
    hand.books().await;
    let before = fs::read(f.out(&name)).unwrap();
    for end in ["", ".sig", ".ok"] {
        fs::remove_file(f.out(&format!("{name}{end}"))).unwrap();
    }
    hand.settle(third).await.unwrap();
    assert_eq!(fs::read(f.out(&name)).unwrap(), before);

    // An order whose money came back has not been executed.
    assert_eq!(hand.state(&early), FileState::Executed);
    hand.answers(&early, Stage::Final(2), &[(done[0].0, RetStatus::Bounced, done[0].2)]);
    assert_eq!(hand.state(&early), FileState::Bounced);
    f.stop().await;
}

#[actix_web::test]
async fn the_daily_round_publishes_what_a_crash_left_recorded_only() {
    let f = FinishedDay::new(4).await;
    let names = ["SPL", "STL"].map(|kind| format!("{kind}_SANDBOX_DEMO_{}_0001.txt", f.day()));
    for name in &names {
        for end in ["", ".sig", ".ok"] {
            fs::remove_file(f.out(&format!("{name}{end}"))).unwrap();
        }
    }
    mingfen::tasks::daily_round(&f.world.app).await.unwrap();
    for name in &names {
        assert!(f.out(&format!("{name}.ok")).exists(), "{name}");
    }
    f.stop().await;
}

#[actix_web::test]
async fn the_daily_round_repeats_a_void_file_only_of_other_evidence() {
    let f = FinishedDay::new(4).await;
    let hand = Hand::over(&f);
    let day = f.world.app.clock.today();
    morning_after(&f, day);
    let void = hand.cut(day).await;
    hand.receive(&hand.result(&void, Stage::First, RetCode::Verify, &[])).unwrap();
    let round = async || mingfen::tasks::daily_round(&f.world.app).await.unwrap();
    assert_eq!((round().await, round().await), (0, 0));
    // Other terms are approved: the same orders may be proposed again.
    let name = fs::read_dir(f.inbox("")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let name = name.filter(|name| name.starts_with("APR_") && name.ends_with(".json")).max().unwrap();
    let mut bundle: serde_json::Value = serde_json::from_slice(&fs::read(f.inbox(&name)).unwrap()).unwrap();
    bundle["issued_at"] = json!("2026-11-21T10:30:00+08:00");
    let newer = hand.signed("APR_SANDBOX_DEMO_20261121_0001.json", serde_json::to_vec(&bundle).unwrap());
    assert_eq!(hand.receive(&newer).unwrap(), inbox::Received::Approvals);
    assert_eq!((round().await, round().await), (1, 0));
    f.stop().await;
}

#[actix_web::test]
async fn an_incomplete_file_and_a_result_before_its_turn_wait_and_a_bad_bill_keeps_no_other_day_waiting() {
    let f = FinishedDay::new(4).await;
    let (hand, app) = (Hand::over(&f), f.world.app.clone());
    let day = app.clock.today();
    morning_after(&f, day);
    let spl = hand.cut(day).await;
    let put = |incoming: &Incoming| {
        let signature = mingfen::protocol::crypto::base64(&incoming.signature);
        fs::write(f.inbox(&incoming.name), incoming.bytes()).unwrap();
        fs::write(f.inbox(&format!("{}.ok", incoming.name)), b"").unwrap();
        fs::write(f.inbox(&format!("{}.sig", incoming.name)), signature).unwrap();
    };
    let import = async || mingfen::tasks::import_files(&app).await.unwrap();
    import().await;
    let noted = |name: &str| f.inbox(&format!("{name}.refused")).exists();
    let done = hand.all_succeed(&spl);
    let pending: Vec<Line> = done.iter().map(|(n, ..)| (*n, RetStatus::Pending, 0)).collect();
    let first = hand.result(&spl, Stage::First, RetCode::Accepted, &[]);
    let finals = [(1, &pending), (2, &pending), (3, &done)]
        .map(|(seq, lines)| hand.result(&spl, Stage::Final(seq), RetCode::Accepted, lines));
    put(&finals[1]);
    put(&finals[0]);
    assert_eq!(import().await, 0);
    assert!(!noted(&finals[0].name) && !noted(&finals[1].name));
    put(&first);
    fs::remove_file(f.inbox(&format!("{}.sig", first.name))).unwrap();
    assert_eq!(import().await, 0);
    assert!(!noted(&first.name));
    put(&first);
    assert_eq!(import().await, 3);
    put(&finals[2]);
    assert_eq!(import().await, 1);
    assert_eq!(hand.state(&spl), FileState::Executed);

    // What was recorded of an earlier day cannot be made again: this day is settled all the same.
    let broken = f.out(&format!("SPL_SANDBOX_DEMO_{}_0001.txt", day.prev()));
    fs::remove_file(format!("{}.ok", broken.display())).unwrap();
    fs::remove_file(&broken).unwrap();
    fs::create_dir(&broken).unwrap();
    assert_eq!(mingfen::tasks::daily_round(&app).await.unwrap(), 1);
    f.stop().await;
}
