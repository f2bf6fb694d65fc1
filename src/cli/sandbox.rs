//! `mingfen sandbox`: a licensed institution in a box, as a process of its own. For tests and for trying.
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::clock::Clock;
use crate::disk::write_private;
use crate::institutions::{Documents, ResultEncoding};
use crate::kernel::channel::ChannelName;
use crate::merchants::founding::{ChannelPart, Founding, InstitutionPart};
use crate::sandbox::{PublicIdentity, Registration, Sandbox, Settings};

/// A licensed institution in a box, for tests and for trying; its control API has no login
///
/// It has a store and keys of its own, and speaks with the platform by HTTP and files only.
///
/// Example: mingfen sandbox --data sandbox --exchange mingfen-data/files --introduce institution.toml
#[derive(clap::Args)]
pub struct Args {
    /// Address of channel and control API, of this machine alone; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Its own directory: store, keys, kept files.
    #[arg(long)]
    data: PathBuf,
    /// The directory of exchanged files.
    #[arg(long)]
    exchange: PathBuf,
    /// Its own code.
    #[arg(long, default_value = "SANDBOX")]
    institution: String,
    /// The platform's code.
    #[arg(long, default_value = "DEMO")]
    platform: String,
    /// JSON file with the platform's registration at the WeChat channel; it can also come later by PUT /sandbox/platform,
    /// that at the Alipay channel by PUT /sandbox/platform/alipay.
    #[arg(long)]
    registration: Option<PathBuf>,
    /// Write what a platform enters of this institution (its profile, channel and public keys, for `institution add`,
    /// `institution key` and `channel add`), and end.
    #[arg(long, value_name = "FILE")]
    introduce: Option<PathBuf>,
    /// Send notifications only when POST /sandbox/deliveries/run asks for it.
    #[arg(long)]
    manual: bool,
}

/// Serves until it is told to stop.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(serve(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let listener = bind(args.listen)
        .with_context(|| format!("cannot listen on {}; choose another --listen", args.listen))?;
    let settings = Settings {
        data: args.data,
        exchange: args.exchange,
        institution: args.institution,
        platform: args.platform,
        public_url: format!("http://{}", listener.local_addr()?),
        manual: args.manual,
    };
    let sandbox = Sandbox::open(settings, Clock::system())?;
    sandbox.restore_clock()?;
    if let Some(path) = args.registration {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the registration {}", path.display()))?;
        let registration: Registration =
            serde_json::from_str(&text).context("the registration is not the documented JSON")?;
        sandbox.register(ChannelName::Wechat, registration)?;
    }
    if let Some(path) = args.introduce {
        let text = toml::to_string(&introduction(&sandbox.identity()?))?;
        write_private(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        return Ok(());
    }
    // The one line that whoever started this process reads.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", serde_json::to_string(&sandbox.identity()?)?)?;
    stdout.flush()?;
    sandbox.serve(listener, told_to_stop()).await?;
    Ok(())
}

/// A listener for a sandbox. Its control has no login, approves rules and moves the clock: who is not on this machine must
/// not reach it.
pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    ensure!(
        address.ip().is_loopback(),
        "the sandbox's control has no login, and {address} can be reached from elsewhere: listen on 127.0.0.1"
    );
    Ok(TcpListener::bind(address)?)
}

/// Our number and application that the sandbox gives to a platform.
const SP: (&str, &str) = ("1800000001", "wx1800000001");

/// What a platform enters of the sandbox.
fn introduction(identity: &PublicIdentity) -> Founding {
    let founding = Founding {
        institution: Some(InstitutionPart {
            code: identity.institution.clone(),
            name: "沙箱支付机构".to_owned(),
            platform_code: identity.platform.clone(),
            order_prefix: "MF".to_owned(),
            result_encoding: ResultEncoding::Ascii.as_str().to_owned(),
            documents: Documents::Channel.as_str().to_owned(),
        }),
        channel: vec![ChannelPart {
            institution: None,
            channel: "wechat".to_owned(),
            language: "wechat_v3".to_owned(),
            base_url: identity.base_url.clone(),
            sp_mchid: SP.0.to_owned(),
            sp_appid: SP.1.to_owned(),
            serial: None,
            private_key: None,
            apiv3_key: None,
        }],
        ..Founding::default()
    };
    founding.with_keys(&identity.file_public_key, (&identity.serial, &identity.certificate))
}

/// Until SIGTERM or SIGINT.
pub(super) async fn told_to_stop() {
    let terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    match terminated {
        Ok(mut terminated) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
