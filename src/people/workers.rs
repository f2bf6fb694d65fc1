//! Who checks passwords: so many threads with memory of their own, and a bounded queue before them. Who finds it full is
//! told so at once; who has a place is answered in seconds.
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::password::Checker;
use crate::error::Error;

/// Each keeps 19 MiB.
const WORKERS: usize = 2;
/// Checks that wait or run. A check takes some 50 ms, and some 200 on a slow machine: the last one waits for 3 s then.
const PLACES: usize = 32;
/// Places that are left to known devices: who guesses from many addresses does not keep them out.
const KEPT_FOR_KNOWN: usize = 8;

struct Check {
    password: String,
    stored: Option<String>,
    answer: oneshot::Sender<bool>,
    /// Given back when the check is done, whether anybody still waits for it or not.
    _place: Place,
}

/// A place in the queue.
pub(super) struct Place(#[allow(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

/// The threads; they end with the last clone.
#[derive(Clone)]
pub(super) struct Workers {
    checks: Sender<Check>,
    places: Arc<Semaphore>,
}

impl Workers {
    pub(super) fn start() -> Result<Self, Error> {
        let (checks, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..WORKERS {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new().name("passwords".to_owned()).spawn(move || work(&waiting))?;
        }
        Ok(Self { checks, places: Arc::new(Semaphore::new(PLACES)) })
    }

    /// A place in the queue, if there is one for a device that is known or not.
    pub(super) fn place(&self, known: bool) -> Option<Place> {
        let kept = if known { 0 } else { KEPT_FOR_KNOWN };
        if self.places.available_permits() <= kept {
            return None;
        }
        Arc::clone(&self.places).try_acquire_owned().ok().map(Place)
    }

    /// Whether the password is the one that was hashed ([`Checker::matches`]).
    pub(super) async fn check(
        &self,
        place: Place,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, Error> {
        let stopped = || Error::Internal("a password check stopped".into());
        let (answer, told) = oneshot::channel();
        let check = Check { password, stored, answer, _place: place };
        self.checks.send(check).map_err(|_| stopped())?;
        told.await.map_err(|_| stopped())
    }
}

fn work(waiting: &Mutex<Receiver<Check>>) {
    let mut checker = Checker::default();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // Nobody is left who could ask.
        let Ok(Check { password, stored, answer, _place }) = next else { return };
        // Who asked has gone away meanwhile: nothing is to be found out.
        if !answer.is_closed() {
            // Nobody waits any more: what was found out is forgotten.
            let _ = answer.send(checker.matches(&password, stored.as_deref()));
        }
    }
}
