//! `mingfen day repair`: void files without successor, oldest day first, and the cuts that repeat them.
use serde_json::json;

use crate::app::App;
use crate::error::Error;
use crate::exchange::{Desk, ExchangedFile};
use crate::people::Actor;
use crate::splits::{self, Cutting};
use crate::tasks::cut_as_task;

/// A void file and what became of it.
struct Found {
    void: ExchangedFile,
    /// The institution's word for why it is void.
    code: String,
    /// The files that repeat it, or why there is none.
    outcome: Result<Vec<String>, String>,
}

/// Cuts the days of void files without successor again, or with `dry` only says what each lacks. Gives what is printed,
/// and whether none lacks anything any more.
pub(super) async fn repair(
    app: &App,
    desk: &Desk,
    dry: bool,
    as_json: bool,
) -> Result<(String, bool), Error> {
    let institution = desk.institution.id;
    let voids = app.db.read(move |tx| splits::open_voids(tx, institution)).await?;
    let mut found = Vec::new();
    for void in voids {
        let id = void.id;
        let code = app.db.read(move |tx| splits::void_code(tx, id)).await?;
        let code = code.map_or_else(String::new, |code| code.as_str().to_owned());
        let outcome = if dry { lacks(app, &void).await? } else { again(app, desk, &void).await? };
        found.push(Found { void, code, outcome });
    }
    let left = app.db.read(move |tx| splits::open_voids(tx, institution)).await?;
    Ok((told(&found, as_json), left.is_empty()))
}

async fn lacks(app: &App, void: &ExchangedFile) -> Result<Result<Vec<String>, String>, Error> {
    let (institution, day) = (void.institution_id, void.business_date);
    match app.db.read(move |tx| splits::in_turn(tx, institution, day)).await {
        Ok(()) => Ok(Err("its orders stand in no later file: cut the day again".to_owned())),
        Err(Error::Refused { detail, .. }) => Ok(Err(detail)),
        Err(error) => Err(error),
    }
}

async fn again(app: &App, desk: &Desk, void: &ExchangedFile) -> Result<Result<Vec<String>, String>, Error> {
    let channels = app.channels_of(&desk.institution).await?;
    let (day, actor) = (void.business_date, Actor::shell());
    match cut_as_task(app, desk, &channels, day, Cutting::default(), &actor).await {
        Ok(report) => {
            let since = report.files.into_iter().filter(|file| file.seq > void.seq);
            Ok(Ok(since.map(|file| file.name).collect()))
        }
        Err(Error::Refused { code, detail }) => {
            Ok(Err(format!("{} {}: {detail}", code.id(), code.sentence_en())))
        }
        Err(error) => Err(error),
    }
}

fn told(found: &[Found], as_json: bool) -> String {
    if as_json {
        let each = found.iter().map(|Found { void, code, outcome }| {
            let (made, lacks) = match outcome {
                Ok(made) => (made.as_slice(), None),
                Err(lacks) => (&[][..], Some(lacks)),
            };
            json!({"name": void.name, "code": code, "made": made, "lacks": lacks})
        });
        return json!({"void": each.collect::<Vec<_>>()}).to_string();
    }
    if found.is_empty() {
        return "every void file has its successor".to_owned();
    }
    let each = found.iter().map(|Found { void, code, outcome }| match outcome {
        Ok(made) => format!("{}  {code}  told again in {}", void.name, made.join(", ")),
        Err(lacks) => format!("{}  {code}  {lacks}", void.name),
    });
    each.collect::<Vec<_>>().join("\n")
}
