//! Days are cut in order, and a platform that went wrong is on its way back.
use mingfen::check;
use mingfen::cli::demo::verify_all;
use mingfen::error::{Code, Error};
use mingfen::exchange::{self, DocumentKind, ExchangedFile, Incoming};
use mingfen::kernel::calendar::BusinessDay;
use mingfen::kernel::state::FileState;
use mingfen::splits::{self, Cutting};
use mingfen::{inbox, institutions, reconciliation, settlement, tasks};
use serde_json::json;

use crate::corruption::past_the_triggers;
use crate::support::acting::Acting;
use crate::support::database::Kind;
use crate::support::finished_day::FinishedDay;
use crate::support::shell::Shell;
use crate::support::shop::Shop;

async fn cut(f: &FinishedDay, day: BusinessDay) -> Result<splits::CutReport, Error> {
    let app = &f.world.app;
    let desk = app.desk(f.world.institution).await?;
    let channel = app.channel(f.world.institution, mingfen::kernel::channel::ChannelName::Wechat).await?;
    splits::cut(&app.db, &app.clock, &desk, std::slice::from_ref(&channel), day, &Cutting::default()).await
}

fn spls(f: &FinishedDay) -> Vec<(ExchangedFile, FileState)> {
    let institution = f.world.institution;
    let read = f.world.app.db.read_blocking(|tx| {
        let files = exchange::chain(tx, institution, DocumentKind::Spl)?;
        files.into_iter().map(|file| Ok((exchange::file_state(tx, file.id)?, file))).collect()
    });
    let read: Vec<(FileState, ExchangedFile)> = read.unwrap();
    read.into_iter().map(|(state, file)| (file, state)).collect()
}

/// The daily round, the institution's answers, and both again, until nothing goes on by itself.
async fn until_nothing_goes_on(f: &FinishedDay) {
    for _ in 0..10 {
        let made = tasks::daily_round(&f.world.app).await.unwrap();
        f.world.exchange().await.unwrap();
        if made == 0 && tasks::daily_round(&f.world.app).await.unwrap() == 0 {
            return;
        }
    }
    panic!("it never comes to an end: {:?}", spls(f));
}

fn out_of_turn(error: Error) -> String {
    match error {
        Error::Refused { code: Code::DayOutOfTurn, detail } => detail,
        other => panic!("another error: {other}"),
    }
}

/// Two days that are over and not cut; the morning after them.
pub async fn two_days_due() -> (FinishedDay, [BusinessDay; 3]) {
    let f = FinishedDay::new(3).await;
    let first = f.world.app.clock.today();
    let later = first.next();
    f.world.app.clock.set(later.next().start().plus(11 * 3600));
    (f, [first, later, later.next()])
}

#[actix_web::test]
async fn a_day_out_of_its_turn_is_refused_with_words_and_nothing_is_published() {
    let (f, [first, later, today]) = two_days_due().await;
    let before = spls(&f).len();
    let mistyped = BusinessDay::parse("20250101").unwrap();
    let told = out_of_turn(cut(&f, mistyped).await.unwrap_err());
    assert!(told.contains(&format!("the first day is {}", f.day().prev().prev())), "{told}");
    let told = out_of_turn(cut(&f, later).await.unwrap_err());
    assert!(told.contains(&format!("{first} comes first")), "{told}");
    for early in [today, BusinessDay::parse("20991231").unwrap()] {
        let refused = cut(&f, early).await.unwrap_err();
        assert!(matches!(refused, Error::Refused { code: Code::DayNotOver, .. }), "{refused}");
    }
    assert_eq!(spls(&f).len(), before);
    for day in [mistyped, later, today] {
        assert!(!f.dir().join("files/SANDBOX/out").join(day.to_string()).exists(), "{day}");
    }
    assert_eq!(check::breaks(&f.world.app).unwrap(), Vec::<String>::new());
    until_nothing_goes_on(&f).await;
    assert_eq!(verify_all(&f.world, &f.dir()).await.unwrap(), 3);
    f.stop().await;
}

#[actix_web::test]
async fn one_failed_bill_request_keeps_later_days_waiting_and_heals_by_itself() {
    let (f, [first, later, _]) = two_days_due().await;
    let fault = json!({"fault": "server_error", "on": "bill", "times": 1});
    f.world.sandbox("POST", "/sandbox/faults", &fault).await.unwrap();
    assert_eq!(tasks::daily_round(&f.world.app).await.unwrap(), 0);
    assert!(spls(&f).iter().all(|(file, _)| file.business_date < first));
    let stuck = check::stuck(&f.world.app).unwrap();
    assert!(stuck.len() == 1 && stuck[0].contains(&format!("{first} could not be cut")), "{stuck:?}");
    let institution = f.world.institution;
    let missing = f.world.app.db.read_blocking(|tx| settlement::gate(tx, institution, later)).unwrap();
    assert_eq!(missing.iter().map(|one| one.day).collect::<Vec<_>>(), [first]);

    until_nothing_goes_on(&f).await;
    let files = spls(&f);
    assert_eq!(
        files.iter().map(|(file, _)| file.business_date).collect::<Vec<_>>(),
        [f.day().prev().prev(), first, later]
    );
    assert!(files.iter().all(|(_, state)| *state == FileState::Executed), "{files:?}");
    assert_eq!(verify_all(&f.world, &f.dir()).await.unwrap(), 3);
    assert_eq!(check::stuck(&f.world.app).unwrap(), Vec::<String>::new());
    f.stop().await;
}

/// Cuts a day whatever the order of days says, as earlier versions did.
pub async fn cut_regardless(f: &FinishedDay, day: BusinessDay) {
    let app = &f.world.app;
    let (desk, institution) = (app.desk(f.world.institution).await.unwrap(), f.world.institution);
    let channel = app.channel(institution, mingfen::kernel::channel::ChannelName::Wechat).await.unwrap();
    let fetched = reconciliation::fetch(&channel, &desk, day).await.unwrap();
    let (at, now) = (app.clock.instant(), app.clock.now());
    let bill = app
        .db
        .write_blocking(|tx| {
            let bundle = mingfen::rules::bundle_at(tx, institution, at)?.unwrap();
            reconciliation::load(tx, &desk, day, &fetched, &bundle, now)
        })
        .unwrap();
    splits::cut_loaded(&app.db, &desk, &bill, at, now, &Cutting::default()).unwrap();
}

#[actix_web::test]
async fn day_repair_names_what_each_void_file_lacks_and_cuts_it_again() {
    let (f, [first, later, _]) = two_days_due().await;
    cut_regardless(&f, later).await;
    f.world.exchange().await.unwrap();
    let mut shell = Shell::new(f.database.dir(), f.database.url());
    shell.variables.push(("MINGFEN_DATA_DIR", f.dir().display().to_string()));
    shell.variables.push(("MINGFEN_ALLOW_PRIVATE_ADDRESSES", "true".to_owned()));
    let repair = |more: &[&str]| shell.run(&[&["day", "repair", "--institution", "SANDBOX"], more].concat());
    let void = format!("SPL_SANDBOX_DEMO_{later}_0001.txt");
    let (status, said, _) = repair(&["--dry-run"]);
    assert_eq!(
        (status, said.trim()),
        (1, &*format!("{void}  E_CHAIN  {later}: {first} comes first, it has not been cut"))
    );
    cut(&f, first).await.unwrap();
    f.world.exchange().await.unwrap();
    // The command has the system's clock, and so must the institution that gives it the bill.
    f.world.app.clock.set(mingfen::clock::Clock::system().instant());
    let (status, said, _) = repair(&["--dry-run", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    let lacks = "its orders stand in no later file: cut the day again";
    assert_eq!(
        (status, &told["void"][0]),
        (1, &json!({"name": void, "code": "E_CHAIN", "made": [], "lacks": lacks}))
    );
    let (status, said, err) = repair(&[]);
    let again = format!("{void}  E_CHAIN  told again in SPL_SANDBOX_DEMO_{later}_0002.txt");
    assert_eq!((status, said.trim()), (0, again.as_str()), "{err}");
    assert_eq!(repair(&[]), (0, "every void file has its successor\n".to_owned(), String::new()));
    f.world.exchange().await.unwrap();
    assert_eq!(spls(&f).pop().unwrap().1, FileState::Executed);
    f.stop().await;
}

#[actix_web::test]
async fn days_that_were_cut_out_of_order_come_right_by_themselves() {
    let (f, [first, later, _]) = two_days_due().await;
    cut_regardless(&f, later).await;
    cut_regardless(&f, BusinessDay::parse("20250101").unwrap()).await;
    f.world.exchange().await.unwrap();
    let states: Vec<FileState> = spls(&f).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [FileState::Executed, FileState::Rejected, FileState::Rejected]);
    let stuck = check::stuck(&f.world.app).unwrap();
    assert!(
        stuck.iter().any(|one| one.contains(&format!("SPL_SANDBOX_DEMO_{later}_0001.txt is void (E_CHAIN)"))),
        "{stuck:?}"
    );
    until_nothing_goes_on(&f).await;
    let files = spls(&f);
    let told: Vec<(BusinessDay, i32, FileState)> =
        files.iter().skip(3).map(|(file, state)| (file.business_date, file.seq, *state)).collect();
    assert_eq!(told, [(first, 1, FileState::Executed), (later, 2, FileState::Executed)]);
    assert_eq!(verify_all(&f.world, &f.dir()).await.unwrap(), 3);
    assert_eq!(check::stuck(&f.world.app).unwrap(), Vec::<String>::new());
    assert_eq!(check::breaks(&f.world.app).unwrap(), Vec::<String>::new());
    f.stop().await;
}

#[actix_web::test]
async fn a_day_without_a_statement_is_empty_only_where_nothing_of_it_is_known() {
    let (f, [first, later, _]) = two_days_due().await;
    until_nothing_goes_on(&f).await;
    let evidence = f.taken(&format!("WXBILL_SANDBOX_DEMO_{later}_0001.none"));
    let said = std::fs::read_to_string(evidence).unwrap();
    assert!(
        said.contains("NO_STATEMENT_EXIST") && said.to_lowercase().contains("wechatpay-signature: "),
        "{said}"
    );
    assert_eq!(
        spls(&f).pop().map(|(file, state)| (file.business_date, file.orders, state)),
        Some((later, 0, FileState::Executed))
    );
    // Asked again it signs anew, which is no other bill.
    assert_eq!(cut(&f, later).await.unwrap().made, 0);
    assert!(!f.inbox(&format!("WXBILL_SANDBOX_DEMO_{later}_0002.none")).exists());
    assert_eq!(check::breaks(&f.world.app).unwrap(), Vec::<String>::new());

    // A payment of ours on such a day: the channel is not believed, and the day waits.
    if Kind::of_this_run() == Kind::Sqlite {
        let today = f.world.app.clock.today();
        f.world.app.clock.set(today.next().start().plus(11 * 3600));
        let (from, to) = (first.to_i32(), today.to_i32());
        let moved = format!("UPDATE payment SET business_date = {to} WHERE business_date = {from}");
        past_the_triggers(&mut f.database.raw(), &["payment"], &moved);
        let refused = cut(&f, today).await.unwrap_err();
        assert!(
            refused.to_string().contains("the channel says that there is none, and we have 3 payments"),
            "{refused}"
        );
        assert_eq!(spls(&f).len(), 3);
    }
    f.stop().await;
}

#[actix_web::test]
async fn the_same_bytes_are_no_news_under_another_name() {
    let f = FinishedDay::new(2).await;
    let (app, institution) = (&f.world.app, f.world.institution);
    let name = format!("SPL_SANDBOX_DEMO_{}_0001.txt.final.0001.ret", f.day());
    let bytes = std::fs::read(f.inbox(&name)).unwrap();
    let signature = std::fs::read_to_string(f.inbox(&format!("{name}.sig"))).unwrap();
    assert!(String::from_utf8_lossy(&bytes).lines().next().unwrap().contains("|FINAL0001|ACCEPTED|"));
    let receive = |name: &str| {
        let incoming = Incoming::new(name, bytes.clone(), &signature).unwrap();
        app.db.write_blocking(|tx| {
            let institution = institutions::by_id(tx, institution)?;
            inbox::receive(tx, &institution, &incoming, 1)
        })
    };
    for name in [name.clone(), name.replace("final.0001", "final.0002"), name.replace("final.0001", "first")]
    {
        assert_eq!(receive(&name).unwrap(), inbox::Received::Again, "{name}");
    }
    f.stop().await;
}

#[actix_web::test]
async fn the_next_deadline_is_of_no_day_that_is_executed_already() {
    let f = FinishedDay::at(2, "2026-11-20T09:00:00+08:00").await;
    assert_eq!(f.day().to_string(), "20261119");
    let who = f.world.logins.iter().find(|login| login.role == "ADMIN").unwrap();
    let mut reader = Acting::at(&f.world.site_url);
    assert_eq!(reader.log_in(&who.login, &who.password).await.status, 303);
    let page = reader.get("/admin").await.body;
    assert!(page.contains("取 2026-11-20 账单并切日") && !page.contains("取 2026-11-19 账单"), "{page}");
    // The next morning it is that day's turn.
    f.world.app.clock.set(f.world.app.clock.today().next().start().plus(9 * 3600));
    assert_eq!(reader.log_in(&who.login, &who.password).await.status, 303);
    let page = reader.get("/admin").await.body;
    assert!(page.contains("取 2026-11-20 账单并切日"), "{page}");
    f.stop().await;
}

#[actix_web::test]
async fn verify_says_what_was_not_authenticated_and_what_is_no_bill() {
    let f = FinishedDay::new(2).await;
    let day = f.day();
    let shell = Shell::new(f.database.dir(), f.database.url());
    let at = |path: std::path::PathBuf| path.display().to_string();
    let bil = at(f.inbox(&format!("BIL_SANDBOX_DEMO_{day}_0001.txt")));
    let approvals = std::fs::read_dir(f.inbox("")).unwrap().map(|entry| at(entry.unwrap().path()));
    let approvals: Vec<String> =
        approvals.filter(|path| path.contains("APR_") && path.ends_with(".json")).collect();
    let (spl, keys) = (at(f.out(&format!("SPL_SANDBOX_DEMO_{day}_0001.txt"))), f.dir().join("keys"));
    let (ours, theirs) = (at(keys.join("platform.pub.pem")), at(keys.join("SANDBOX.pub.pem")));
    let verify = |more: &[&str]| {
        let mut arguments =
            vec!["verify", "--first", "--spl", &spl, "--platform-key", &ours, "--institution-key", &theirs];
        arguments.push("--approvals");
        arguments.extend(approvals.iter().map(String::as_str));
        arguments.extend(more);
        shell.run(&arguments)
    };
    let last = |said: &str| said.trim_end().lines().last().unwrap().to_owned();
    let (status, said, err) = verify(&["--bill", &bil]);
    assert_eq!((status, last(&said).as_str()), (0, "OK: every fen is explained"), "{err}");
    assert!(!said.contains("V20"), "{said}");
    std::fs::rename(format!("{bil}.sig"), format!("{bil}.away")).unwrap();
    let (status, said, _) = verify(&["--bill", &bil]);
    let unsigned = format!("BIL_SANDBOX_DEMO_{day}_0001.txt carries no signature");
    assert_eq!(
        (status, last(&said)),
        (0, format!("OK: every fen is explained. NOT AUTHENTICATED: {unsigned}"))
    );
    let (_, said, _) = verify(&["--bill", &bil, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["authenticated"], &told["not_authenticated"]), (&json!(false), &json!([unsigned])));

    let text = std::fs::read_to_string(&bil).unwrap();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = b"{\"code\":\"SYSTEM_ERROR\"}".to_vec();
    for (what, bytes) in
        [("empty", Vec::new()), ("UTF-16", wide), ("an error page", b"<html>".to_vec()), ("JSON", error)]
    {
        let path = at(f.database.dir().join("bill"));
        std::fs::write(&path, bytes).unwrap();
        let (status, said, err) = verify(&["--bill", &path]);
        assert_eq!((status, said.as_str()), (2, ""), "{what}: {err}");
        assert!(err.contains("fetch it again"), "{what}: {err}");
    }
    // Alipay's own names neither merchants nor tags, however sound it is.
    let path = at(f.database.dir().join("bill.zip"));
    std::fs::write(&path, include_bytes!("../vectors/alipay/bill.zip")).unwrap();
    let (status, said, err) = verify(&["--bill", &path]);
    assert_eq!((status, said.as_str()), (2, ""), "{err}");
    assert!(err.contains("the institution's own bill of the day, BIL, is needed"), "{err}");
    // Of a channel without a statement there is nothing to give: whatever a file tells then is no payment of the bill.
    let (status, said, _) = verify(&["--no-statement", "wechat"]);
    assert!(
        status == 1 && said.contains("NOT AUTHENTICATED: wechat has no statement\n") && said.contains("V05"),
        "{said}"
    );
    f.stop().await;
}

#[actix_web::test]
async fn a_second_day_waits_until_the_first_one_of_all_was_accepted() {
    let shop = Shop::open().await;
    let (app, id) = (&shop.app, shop.institution_id);
    // Nothing was ever accepted of this institution, whose first bundle is of 1 January.
    let day = BusinessDay::parse("20260102").unwrap();
    let refused = app.db.read(move |tx| splits::in_turn(tx, id, day)).await.unwrap_err();
    assert!(out_of_turn(refused).contains("20260101 is the first day, a file of it must be accepted before"));
    app.db.read(move |tx| splits::in_turn(tx, id, day.prev())).await.unwrap();
}
