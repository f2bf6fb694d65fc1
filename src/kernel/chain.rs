//! The chain of one kind of file between an institution and a platform (`files.md`, "SPL" and V04): each file names the
//! digest of the one published before it, so that none can be left out, put in or exchanged later.
use std::collections::{BTreeMap, HashMap};

use super::calendar::{BusinessDay, Instant};
use super::digest::Digest;
use super::file::FileName;

/// A file's place in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: FileName,
    /// Digest of the whole file.
    pub digest: Digest,
    /// What its header says of its place.
    pub place: Place,
}

/// What a file's header says of its place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Of a file that counts: accepted, or one of the day's own.
    Counts {
        /// The digest that it names as the file before it, [`Digest::ZERO`] for the very first.
        prev: Digest,
        /// When it was made, which decides under which bundle.
        created_at: Instant,
    },
    /// Of a void file.
    Void {
        /// The digest that it names, if it can be read: it serves only for walking back. Nothing else that a void file
        /// says of itself is looked at.
        prev: Option<Digest>,
    },
}

impl Link {
    const fn prev(&self) -> Option<Digest> {
        match self.place {
            Place::Counts { prev, .. } => Some(prev),
            Place::Void { prev } => prev,
        }
    }

    const fn created_at(&self) -> Option<Instant> {
        match self.place {
            Place::Counts { created_at, .. } => Some(created_at),
            Place::Void { .. } => None,
        }
    }

    const fn is_void(&self) -> bool {
        matches!(self.place, Place::Void { .. })
    }
}

/// A break in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The file at which it shows.
    pub name: FileName,
    /// What the chain demands.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// Where the chain begins, as far as the institution says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Before this day.
    Earlier,
    /// On this day: nothing was told of an earlier one (`--first`).
    Here {
        /// The day of the oldest given bundle: nothing of the days before it can be hidden, since no day is cut that
        /// was over before there was a bundle. `None` = none could be read.
        since: Option<BusinessDay>,
    },
}

/// All links that were given for one business day: the day's own files, void ones included, and earlier ones.
pub struct Chain<'a> {
    day: BusinessDay,
    links: &'a [Link],
    by_digest: HashMap<Digest, &'a Link>,
    beginning: Beginning,
}

impl<'a> Chain<'a> {
    /// The chain around `day`.
    pub fn new(day: BusinessDay, links: &'a [Link], beginning: Beginning) -> Self {
        let by_digest = links.iter().map(|link| (link.digest, link)).collect();
        Self { day, links, by_digest, beginning }
    }

    /// Every break, V04.
    pub fn breaks(&self) -> Vec<Break> {
        let mut breaks = self.sequence();
        breaks.extend(self.forks());
        for link in self.own() {
            let Place::Counts { prev, created_at } = link.place else { continue };
            breaks.extend(self.predecessor(link, prev));
            breaks.extend(self.order_of_publication(link));
            breaks.extend(self.time(link, created_at));
        }
        breaks.extend(self.first_that_counts().and_then(|link| self.day_before(link)));
        breaks
    }

    /// What these files cannot show of a chain that begins here: each is for the institution to know.
    pub fn open_questions(&self) -> Vec<String> {
        let (Beginning::Here { .. }, Some(link)) = (self.beginning, self.first_that_counts()) else {
            return Vec::new();
        };
        let is_early = |before: &&Link| before.is_void() && before.name.day < self.day;
        let early = self.walk(link).filter(is_early).map(|void| {
            let name = &void.name;
            format!(
                "whether the given bundles begin with the very first of all: {name}, which is void, is older"
            )
        });
        let mut questions: Vec<String> = early.collect();
        let last = self.walk(link).last().filter(|last| last.is_void() && last.prev() != Some(Digest::ZERO));
        questions.extend(last.map(|last| {
            let name = &last.name;
            format!(
                "whether anything was told before {name}, which is void and names a file that is not given"
            )
        }));
        questions
    }

    fn first_that_counts(&self) -> Option<&'a Link> {
        self.own().filter(|link| !link.is_void()).min_by_key(|link| link.name.seq)
    }

    fn own(&self) -> impl Iterator<Item = &'a Link> {
        self.links.iter().filter(|link| link.name.day == self.day)
    }

    /// The day's files are exactly 0001..k.
    fn sequence(&self) -> Vec<Break> {
        let mut own: Vec<&Link> = self.own().collect();
        own.sort_by_key(|link| link.name.seq);
        let numbered = own.iter().zip(1_u16..).find(|(link, seq)| link.name.seq != *seq);
        let found = numbered.map(|(link, seq)| Break {
            name: link.name.clone(),
            expected: format!("the day's files from 0001 on, each once: seq {seq:04}"),
            found: format!("seq {:04}", link.name.seq),
        });
        found.into_iter().collect()
    }

    /// No two files that count name one file before them.
    fn forks(&self) -> Vec<Break> {
        let mut named: BTreeMap<Digest, &Link> = BTreeMap::new();
        let mut breaks = Vec::new();
        for link in self.links {
            let Place::Counts { prev, .. } = link.place else { continue };
            if let Some(other) = named.insert(prev, link) {
                breaks.push(Break {
                    name: link.name.clone(),
                    expected: "a prev that no other file names".to_owned(),
                    found: format!("the prev of {}", other.name),
                });
            }
        }
        breaks
    }

    fn predecessor(&self, link: &Link, prev: Digest) -> Option<Break> {
        let broken = |expected: &str| {
            Some(Break { name: link.name.clone(), expected: expected.to_owned(), found: prev.to_string() })
        };
        if prev != Digest::ZERO {
            let known = self.by_digest.contains_key(&prev);
            return if known {
                None
            } else {
                broken("the prev of a given, answered file (--previous, --void)")
            };
        }
        match (self.beginning, link.name.seq) {
            (Beginning::Here { .. }, 1) => None,
            (Beginning::Here { .. }, _) => broken("64 zeros only in a 0001"),
            (Beginning::Earlier, _) => {
                broken("the digest of the file before (--first if this is the very first)")
            }
        }
    }

    /// Made after the day and not before what was published before it: a platform that could date a file back would
    /// choose the bundle it is made under. What a void file says of its time is not looked at.
    fn time(&self, link: &'a Link, created_at: Instant) -> Option<Break> {
        let named = self.walk(link).find_map(Link::created_at);
        let earlier = self.own().filter(|other| other.name.seq < link.name.seq);
        let before = earlier.filter_map(Link::created_at).chain(named);
        let least = before.chain([self.day.next().start()]).max()?;
        (created_at < least).then(|| Break {
            name: link.name.clone(),
            expected: format!("created_at not before {least}, the day's end and the files before"),
            found: created_at.to_cst(),
        })
    }

    /// The given files before this one, nearest first, as far as they reach.
    fn walk(&self, from: &'a Link) -> impl Iterator<Item = &'a Link> {
        let before = |link: &&'a Link| link.prev().and_then(|prev| self.by_digest.get(&prev).copied());
        std::iter::successors(before(&from), before).take(self.links.len())
    }

    fn order_of_publication(&self, link: &'a Link) -> Option<Break> {
        let later = self.walk(link).find(|l| l.name.day == self.day && l.name.seq > link.name.seq)?;
        Some(Break {
            name: link.name.clone(),
            expected: "a place in the chain before the day's later files".to_owned(),
            found: format!("a place after {}", later.name),
        })
    }

    /// Walking back from the day's first file that counts, one of the day before is met and none of a later day: no day
    /// is hidden, also not behind void files, and none was put in after a later one. Where the chain begins on this day,
    /// nothing of an earlier one is met at all.
    fn day_before(&self, link: &'a Link) -> Option<Break> {
        let yesterday = self.day.prev();
        let broken = |found: String| {
            let expected = format!("an accepted file of {yesterday} before it, and none of a later day");
            Some(Break { name: link.name.clone(), expected, found })
        };
        let is_yesterdays = |link: &Link| !link.is_void() && link.name.day == yesterday;
        let mut last = link;
        for before in self.walk(link) {
            last = before;
            if is_yesterdays(before) {
                return None;
            }
            if !before.is_void() && before.name.day > self.day {
                return broken(before.name.to_string());
            }
        }
        let is_sound = match self.beginning {
            Beginning::Here { since } => return self.told_before(link, since),
            // What it names may be anything: then it is enough that the day before was given.
            Beginning::Earlier if last.is_void() => self.links.iter().any(is_yesterdays),
            // Whether the day's own file may be the very first, `predecessor` has told.
            Beginning::Earlier => last == link && last.prev() == Some(Digest::ZERO),
        };
        if is_sound { None } else { broken(format!("no file before {}", last.name)) }
    }

    /// A file of an earlier day, where the chain should begin on this one: an accepted one, or a void one whose day may
    /// be hidden.
    fn told_before(&self, link: &'a Link, since: Option<BusinessDay>) -> Option<Break> {
        let hides_nothing = |day: BusinessDay| since.is_some_and(|since| day < since);
        let is_earlier = |before: &&Link| {
            before.name.day < self.day && !(before.is_void() && hides_nothing(before.name.day))
        };
        let before = self.walk(link).find(is_earlier)?;
        let (name, day) = (&before.name, self.day);
        let found = if before.is_void() {
            format!("{name}, which is void: its day is told in no accepted file")
        } else {
            name.to_string()
        };
        let expected = format!("with --first no file of a day before {day} (the chain begins on that day)");
        Some(Break { name: link.name.clone(), expected, found })
    }
}
