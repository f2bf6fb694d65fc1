//! The door of the site: how many connections may stand in it, all and of one address, and how long one may hold its
//! place without asking anything. What the process needs for its own work is out of their reach.
use std::any::Any;
use std::cell::Cell;
use std::collections::HashMap;
use std::net::{IpAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::{Extensions, Server};
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{HttpServer, rt};
use ipnet::IpNet;
use rustix::net::{Shutdown, listen, shutdown};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::site;
use crate::app::App;
use crate::people::address::{is_ours, subscriber};

/// Descriptors that connections never take: the databases', the jobs' files and calls, logs.
const RESERVE: u64 = 384;
/// Descriptors of one connection: its own, and the one by which it is closed when it says nothing.
const EACH: u64 = 2;
/// Connections that the system keeps for us until we take them.
const BACKLOG: i32 = 1024;
/// How long a connection may be there without a whole request, the time between two requests included. The server itself
/// has a shorter clock for the first head and for silence, and none for a head that begins after the first request.
const QUIET: Duration = Duration::from_secs(12);
/// How long a request may take with all of its answer, however slowly it is taken.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// How long the system waits for a caller who takes nothing of an answer, in milliseconds.
#[cfg(target_os = "linux")]
const STALLED: u32 = 30_000;

/// Raises this process's limit of open descriptors as far as it may; answers the limit in force.
pub fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let raised = limit.current != limit.maximum && setrlimit(Resource::Nofile, most).is_ok();
    let (current, most) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    if raised { most } else { current }
}

/// How many connections may be there at once where `wanted` are wished for and so many descriptors allowed; at least 16.
#[must_use]
pub fn room(wanted: u32, descriptors: u64) -> u64 {
    (descriptors.saturating_sub(RESERVE) / EACH).min(u64::from(wanted)).max(16)
}

/// Serves the site on a listener with so many threads; open requests get `grace` seconds when it is stopped. Signals are
/// left to the caller.
pub fn open(app: &Data<App>, listener: TcpListener, threads: usize, grace: u64) -> std::io::Result<Server> {
    let descriptors = raise_descriptors();
    let connections = room(app.config.connections, descriptors);
    let per_address = app.config.connections_per_address;
    tracing::info!(connections, per_address, descriptors, "the door is open");
    let each = usize::try_from(connections).unwrap_or(usize::MAX).div_ceil(threads.max(1));
    let proxies = app.config.trusted_proxies.clone();
    let (state, here) = (app.clone(), Arc::new(Here { per_address, proxies, ..Here::default() }));
    listen(&listener, BACKLOG)?;
    let server = HttpServer::new(move || site(state.clone()))
        .workers(threads)
        .max_connections(each)
        .on_connect(move |stream, data| enter(&here, stream, data))
        .shutdown_timeout(grace)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// Lets a connection in, or closes it when its address has as many as one may have.
fn enter(here: &Arc<Here>, stream: &dyn Any, data: &mut Extensions) {
    let Some(stream) = stream.downcast_ref::<TcpStream>() else { return };
    let caller = stream.peer_addr().and_then(|peer| {
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_tcp_user_timeout(stream, STALLED)?;
        Ok((peer.ip().to_canonical(), stream.as_fd().try_clone_to_owned()?))
    });
    let place = caller.ok().and_then(|(address, line)| Caller::enter(here, address, line));
    let Some(caller) = place else {
        // Whoever is gone already needs no telling.
        let _ = shutdown(stream, Shutdown::Both);
        return;
    };
    let caller = Rc::new(caller);
    rt::spawn(watch(Rc::downgrade(&caller)));
    data.insert(caller);
}

/// Closes a connection that holds its place and asks nothing, or takes its answer without an end.
async fn watch(caller: Weak<Caller>) {
    let mut nap = QUIET;
    loop {
        rt::time::sleep(nap).await;
        let Some(caller) = caller.upgrade() else { return };
        let most = if caller.requests.get() > 0 { LONGEST } else { QUIET };
        let left = most.saturating_sub(caller.since.get().elapsed());
        if left.is_zero() {
            let _ = shutdown(&caller.line, Shutdown::Both);
            return;
        }
        nap = left.min(QUIET);
    }
}

/// How many connections each address has.
#[derive(Default)]
struct Here {
    per_address: u32,
    /// Behind each of these are many.
    proxies: Vec<IpNet>,
    counts: Mutex<HashMap<IpAddr, u32>>,
}

impl Here {
    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who stands at the other end of a connection.
pub(super) struct Caller {
    here: Arc<Here>,
    network: IpAddr,
    line: OwnedFd,
    requests: Cell<u32>,
    /// When it came, or the begin of its last request, or the end of its last answer.
    since: Cell<Instant>,
}

impl Caller {
    fn enter(here: &Arc<Here>, address: IpAddr, line: OwnedFd) -> Option<Self> {
        let most = if is_ours(address, &here.proxies) { u32::MAX } else { here.per_address };
        let network = subscriber(address);
        let mut counts = here.counts();
        let count = counts.entry(network).or_default();
        if *count >= most {
            return None;
        }
        *count = count.saturating_add(1);
        if *count == most {
            tracing::warn!(%network, connections = *count, "an address has as many connections as one may have");
        }
        drop(counts);
        let here = Arc::clone(here);
        Some(Self { here, network, line, requests: Cell::new(0), since: Cell::new(Instant::now()) })
    }

    /// A request of it is worked on, until its answer is written.
    pub fn begin(this: &Rc<Self>) -> Busy {
        this.requests.set(this.requests.get().saturating_add(1));
        this.since.set(Instant::now());
        Busy(Rc::clone(this))
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut counts = self.here.counts();
        if let Some(count) = counts.get_mut(&self.network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

/// A request that is not answered to its end.
pub(super) struct Busy(Rc<Caller>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get().saturating_sub(1));
        self.0.since.set(Instant::now());
    }
}
