//! Fair turns: work for many parties goes on side by side, so much at a time for each of them and so much in all.
//!
//! Whoever begins some work takes a turn first and drops it at the end. A party whose work hangs keeps its own turns and
//! nobody else's, and the round that began the work need not wait for it.
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::Error;

/// The turns that are taken. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Taken>);

#[derive(Debug, Default)]
struct Taken {
    of: Mutex<HashMap<String, usize>>,
    given_back: Notify,
    closing: AtomicBool,
    lines: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// Whose turn something is, and how many of those there are at a time.
pub type Share = (String, usize);

/// A turn; given back when it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    shares: Vec<String>,
}

/// Something that is done for one party in a round.
pub struct Part {
    /// Whose turn it takes.
    pub share: Share,
    /// What is done; how much that was.
    pub work: BoxFuture<'static, Result<usize, Error>>,
}

/// A part that is at work; it goes on when this is dropped.
#[derive(Debug)]
pub struct Begun {
    share: String,
    working: JoinHandle<Result<usize, Error>>,
}

impl Turns {
    /// Takes one of each share; else names the first that has none left.
    pub fn take(&self, shares: &[Share]) -> Result<Turn, String> {
        let mut taken = self.0.of.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |(name, most): &&Share| taken.get(name).is_some_and(|at_work| at_work >= most);
        if let Some((full, _)) = shares.iter().find(is_full) {
            return Err(full.clone());
        }
        for (name, _) in shares {
            let at_work = taken.entry(name.clone()).or_default();
            *at_work = at_work.saturating_add(1);
        }
        Ok(Turn { turns: self.clone(), shares: shares.iter().map(|(name, _)| name.clone()).collect() })
    }

    /// The line before a share, for whoever waits for a turn of it: who came first is first. All who ask for it while
    /// anybody holds it stand in the same one.
    pub fn line(&self, (name, most): Share) -> Arc<Semaphore> {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, line| line.strong_count() > 0);
        if let Some(line) = lines.get(&name).and_then(Weak::upgrade) {
            return line;
        }
        let line = Arc::new(Semaphore::new(most));
        lines.insert(name, Arc::downgrade(&line));
        line
    }

    /// How many of a share are taken.
    pub fn at_work(&self, share: &str) -> usize {
        self.0.of.lock().unwrap_or_else(PoisonError::into_inner).get(share).copied().unwrap_or_default()
    }

    /// Begins what has a turn, leaves alone whose earlier work goes on, and waits for what it began, but for `patience`
    /// at most; how much of it was done until then. What is not at its end goes on. The failure of one part ends no
    /// other; the first one is told when all have had their turn.
    pub async fn round(&self, parts: Vec<Part>, patience: Duration) -> Result<usize, Error> {
        let (begun, left) = self.begin(parts);
        for part in left {
            tracing::debug!(share = part.share.0, "the round before is at work yet");
        }
        over(begun, patience).await
    }

    /// Begins what has a turn; the other parts are handed back.
    pub fn begin(&self, parts: Vec<Part>) -> (Vec<Begun>, Vec<Part>) {
        let (mut begun, mut left) = (Vec::new(), Vec::new());
        for part in parts {
            let Ok(turn) = self.take(std::slice::from_ref(&part.share)) else {
                left.push(part);
                continue;
            };
            let Part { share: (share, _), work } = part;
            let working = tokio::spawn(async move {
                let done = work.await;
                drop(turn);
                done
            });
            begun.push(Begun { share, working });
        }
        (begun, left)
    }

    /// From now on work that can be left for later is left.
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
    }

    /// Whether this process is about to end.
    pub fn are_closing(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    /// Waits until no turn is taken, but not for longer than `patience`; whether all are over.
    pub async fn all_over(&self, patience: Duration) -> bool {
        let over = async {
            loop {
                let given_back = self.0.given_back.notified();
                if self.0.of.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                    return;
                }
                given_back.await;
            }
        };
        timeout(patience, over).await.is_ok()
    }
}

/// Waits for what was begun, as [`Turns::round`] does.
pub async fn over(begun: Vec<Begun>, patience: Duration) -> Result<usize, Error> {
    // Beyond what a clock can count: for ever.
    let until = Instant::now().checked_add(patience);
    let (mut done, mut failed) = (0_usize, None);
    for Begun { share, working } in begun {
        let ended = match until {
            Some(until) => timeout_at(until, working).await,
            None => Ok(working.await),
        };
        match ended {
            Ok(Ok(Ok(more))) => done = done.saturating_add(more),
            Ok(Ok(Err(error))) => failed = failed.or(Some(error)),
            Ok(Err(_)) => tracing::error!(share, "work ended in a panic"),
            Err(_) => tracing::warn!(share, "takes long: it goes on, and the others do not wait for it"),
        }
    }
    failed.map_or(Ok(done), Err)
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.turns.0.of.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.shares {
            if let Some(at_work) = taken.get_mut(name) {
                *at_work = at_work.saturating_sub(1);
                if *at_work == 0 {
                    taken.remove(name);
                }
            }
        }
        drop(taken);
        self.turns.0.given_back.notify_waiters();
    }
}
