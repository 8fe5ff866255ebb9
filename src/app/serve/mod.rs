//! The HTTP server: MCP and the bridge on one port, until it is asked to end.

use std::{fmt, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use sd_notify::NotifyState;
use tokio::{net::TcpListener, sync::Semaphore};

use super::{
    Environment, Journal, Limiting, Settings, alerts, archivist,
    http::{self, Bounds},
    measures::Measures,
    office,
    runs::{Runs, Secrets},
    sample, served,
    settling::{SettingError, Settling},
    tokens::TokenSources,
};
use crate::{
    base::{HostNames, Tracker},
    catalog::Finding,
    engine::Scheduler,
    mcp,
    tasks::Engine,
    tools::{self, Office},
    web::{self, Access, Bridge, Limits},
};

/// What running tasks and open requests may take once the end is asked for; what is not done by then goes on with the
/// next start.
const DRAIN: Duration = Duration::from_secs(25);

/// How long before that whoever still waits for running work is answered as it stands then.
const LAST_WORD: Duration = Duration::from_secs(2);

/// How long it may take to say farewell to servers that share the tasks.
const FAREWELL: Duration = Duration::from_secs(3);

/// What `serve` is asked to do.
#[derive(Debug)]
pub struct Serve {
    /// Root of the project.
    pub root: PathBuf,
    /// Where to listen.
    pub bind: Bind,
    /// The bearer token, as it was given on the command line.
    pub token: Option<String>,
    /// A file that holds it.
    pub token_file: Option<PathBuf>,
    /// A file of named tokens.
    pub tokens_file: Option<PathBuf>,
    /// How much is accepted of whom.
    pub limiting: Limiting,
    /// Host names under which browsers and MCP clients may come, besides this machine's own.
    pub allowed_hosts: Vec<String>,
    /// The toolsets to serve over MCP; all when empty.
    pub toolsets: Vec<String>,
    /// Whether schedules are started.
    pub cron: bool,
    /// Whether MCP is served at /sse too, in the way of 2024-11-05.
    pub sse: bool,
    /// What becomes of tasks.
    pub journal: Journal,
}

/// Where to listen.
#[derive(Debug)]
pub struct Bind {
    /// Address or host name.
    pub host: String,
    /// Port; 0 for a free one.
    pub port: u16,
    /// Whether others may reach it without a token.
    pub insecure: bool,
}

/// A server that is about to answer.
#[derive(Debug)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// What is wrong with the definitions.
    pub findings: Vec<Finding>,
    employees: usize,
    pipelines: usize,
    routes: usize,
    schedules: usize,
    token: bool,
    sse: bool,
    webhook: Webhook,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Webhook {
    /// There is no `.crew/webhook.yaml` to be had.
    Absent,
    Off,
    Ready,
    StandIn,
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "crew {} listens on http://{}", env!("CARGO_PKG_VERSION"), self.address)?;
        writeln!(
            f,
            "  employees {}, pipelines {}, webhook routes {}, schedules {}",
            self.employees, self.pipelines, self.routes, self.schedules
        )?;
        let token =
            if self.token { "bearer token required" } else { "no token: anyone on this machine may call" };
        let sse = if self.sse { " and /sse" } else { "" };
        writeln!(f, "  MCP at /mcp{sse}, {token}")?;
        let webhook = match self.webhook {
            Webhook::Absent => "off: routes are written in .crew/webhook.yaml",
            Webhook::Off => "off: set the secret named in .crew/webhook.yaml",
            Webhook::Ready => "on",
            Webhook::StandIn => "on, signed with .crew/webhook-secret (its own secret is not set)",
        };
        write!(f, "  GitHub webhook {webhook}")
    }
}

/// Serves until SIGTERM or Ctrl-C, then lets running work come to an end; asked a second time, it ends at once.
/// `started` is told once requests are answered.
///
/// # Errors
/// When the address or the tasks cannot be had, or the settings contradict each other.
pub async fn serve(mut serve: Serve, env: &Environment, started: impl FnOnce(Started)) -> anyhow::Result<()> {
    let (single, named) = (serve.token_file.as_deref(), serve.tokens_file.as_deref());
    let sources = TokenSources::settle(env, serve.token.as_deref(), single, named)?;
    let access = sources.access()?;
    let resource = issued_by(env)?;
    let mut settings = Settings::read(env, &serve.root)?;
    let (rules, retention) = (settings.alerts.take(), settings.records);
    let limiting = std::mem::take(&mut serve.limiting);
    let (limits, bounds) = limiting.settle(&settings.serving, &mut Settling::new(env))?;
    serve.allowed_hosts.extend(hosts_of_pages(&limits.cors_origins, &access)?);
    let limits = Arc::new(limits);
    let listener = listen(&serve.bind, access.is_guarded()).await?;
    let address = listener.local_addr()?;
    let tracker = Tracker::new();
    if let Some(shared) = limits.shared.clone() {
        tracker.spawn(greet(shared));
    }
    let office = office::open(&serve.root, settings, serve.journal, &tracker);
    office.crew.keep_embedded(&tracker);
    office.crew.keep_settled(&tracker);
    let tasks = office.tasks().await.context("the tasks of this project cannot be opened")?;
    let scheduler = if serve.cron {
        Some(Scheduler::start(Arc::clone(&office.crew), tasks.clone(), &tracker).await)
    } else {
        None
    };
    let secrets = secrets(&office, env, address).await;
    let measures = Measures::start(tasks.clone(), scheduler.clone(), office.outbox().cloned(), &tracker)?;
    archivist::start(retention, Arc::clone(&office.crew), tasks.clone(), &tracker);
    if let Some(rules) = rules {
        alerts::start(rules, Arc::clone(&office.crew), tasks.clone(), scheduler.clone(), &tracker);
    }
    started(report(&office, address, &serve, access.is_guarded(), &secrets).await);
    sources.watch(access.clone(), office.acts.clone(), &tracker);
    let unsettled = tasks.clone();
    tracker.spawn(async move { web::webhook::settle(&unsettled).await });

    let runs = Runs::new(Arc::clone(&office.crew), tasks.clone(), scheduler, secrets, measures);
    let mcp = mcp_of(&serve, &office, &limits, access.clone(), &tracker)?;
    let state =
        state_of(&serve, &office, tasks.clone(), runs, Admission { access, limits, resource }, &tracker);
    let ended = run(listener, web::bridge(state, mcp), bounds, &tracker).await;
    farewell(&office).await;
    ended
}

/// Has what is still at work go on elsewhere, at once.
pub(super) async fn farewell(office: &Office) {
    if tokio::time::timeout(FAREWELL, office.leave()).await.is_err() {
        tracing::warn!("others could not be told that this process ends; they find out soon");
    }
}

/// The names under which pages of these origins come, as each says its own in `Origin`.
///
/// # Errors
/// When any page could call, and nobody asks for a token.
fn hosts_of_pages(origins: &[String], access: &Access) -> anyhow::Result<Vec<String>> {
    if !access.is_guarded() && origins.iter().any(|origin| origin == "*") {
        bail!(
            "pages of any origin (`*`) may call only a server that wants a token; set CREW_API_TOKEN, or name the origins"
        );
    }
    let pages = origins.iter().filter_map(|origin| origin.split_once("://"));
    Ok(pages.map(|(_, name)| host_of(name).to_owned()).collect())
}

/// Tells whether limits are shared.
async fn greet(shared: Arc<web::Shared>) {
    match shared.greet().await {
        Ok(()) => tracing::info!("replicas share their limits"),
        Err(error) => {
            tracing::warn!(error, "Redis is away: each replica keeps to the limits by itself");
        }
    }
}

/// MCP, as it is mounted on the bridge.
fn mcp_of(
    serve: &Serve,
    office: &Office,
    limits: &Limits,
    access: Access,
    tracker: &Tracker,
) -> anyhow::Result<axum::Router> {
    let options = mcp::Options {
        allowed_hosts: serve.allowed_hosts.clone(),
        max_body_bytes: limits.body_bytes,
        body_time: limits.body_time,
        ..mcp::Options::default()
    };
    let scopes = mcp::Scopes::new(move |name| access.scope_of(name));
    let host = served::host(office, &serve.toolsets, scopes, tracker)?;
    let router = if serve.sse { mcp::router_with_sse } else { mcp::router };
    Ok(router(host, &options, tracker.clone()))
}

/// Who is let in, and how much of them is taken.
struct Admission {
    access: Access,
    limits: Arc<Limits>,
    resource: Option<web::Resource>,
}

/// What the handlers of the bridge may use. From here on it is noted who is turned away.
fn state_of(
    serve: &Serve,
    office: &Office,
    tasks: Engine,
    runs: Runs,
    admission: Admission,
    tracker: &Tracker,
) -> web::State {
    let Admission { access, limits, resource } = admission;
    let denials = Arc::new(web::Denials::default());
    tracker.spawn(Arc::clone(&denials).keep(office.acts.clone(), tracker.stopping().clone()));
    web::State {
        tasks,
        outbox: office.outbox().cloned(),
        live: office.crew.live().clone(),
        deliveries: Arc::new(web::webhook::Deliveries::in_project(&serve.root)),
        meter: Arc::clone(office.crew.llm().meter()),
        access,
        acts: office.acts.clone(),
        denials,
        tools: Arc::new(tools::all(office)),
        streams: Arc::new(Semaphore::new(limits.streams)),
        tracker: tracker.clone(),
        limits,
        resource,
        hosts: Arc::new(HostNames::new(&serve.allowed_hosts)),
        runs: Arc::new(runs),
    }
}

/// A host name without its port.
fn host_of(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => name,
    }
}

/// Host and port, as an address says them.
fn place(host: &str, port: u16) -> String {
    match host.parse() {
        Ok(address) => SocketAddr::new(address, port).to_string(),
        Err(_) => format!("{host}:{port}"),
    }
}

async fn listen(bind: &Bind, token: bool) -> anyhow::Result<TcpListener> {
    let place = place(&bind.host, bind.port);
    let mut addresses = tokio::net::lookup_host((bind.host.as_str(), bind.port))
        .await
        .with_context(|| format!("`{place}` is no address to listen on"))?;
    let address = addresses.next().with_context(|| format!("`{place}` is no address to listen on"))?;
    if !address.ip().is_loopback() && !token && !bind.insecure {
        bail!(
            "others can reach `{place}`, and no token is set; set CREW_API_TOKEN or --token-file (or --insecure, to let \
             anyone in)"
        );
    }
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on `{place}`"))
}

/// Who issues tokens for this server: `CREW_AUTH_ISSUER`, together with the address clients know it by,
/// `CREW_PUBLIC_URL`.
///
/// # Errors
/// When that is not known.
pub(super) fn issued_by(env: &Environment) -> Result<Option<web::Resource>, SettingError> {
    let Some(issuer) = env.get("CREW_AUTH_ISSUER") else { return Ok(None) };
    let url = env.get("CREW_PUBLIC_URL").ok_or_else(|| SettingError {
        place: "CREW_AUTH_ISSUER".to_owned(),
        reason: "it is set; set CREW_PUBLIC_URL too".to_owned(),
    })?;
    Ok(Some(web::Resource { url: url.trim().to_owned(), issuer: issuer.trim().to_owned() }))
}

/// The secrets of the webhook. On an address that only this machine reaches, one that is not set is made up and kept in
/// a file, so that a delivery can be tried at once; anywhere else it stays unset, and deliveries are refused.
async fn secrets(office: &Office, env: &Environment, address: SocketAddr) -> Secrets {
    let mut secrets = Secrets { env: env.clone(), stand_in: None };
    let definitions = office.crew.definitions().await;
    let reference = definitions.webhook.as_ref().and_then(|webhook| webhook.github_secret.as_ref());
    if address.ip().is_loopback() && reference.is_some_and(|reference| secrets.resolve(reference).is_none()) {
        match sample::secret(office.crew.root()) {
            Ok(secret) => secrets.stand_in = Some(secret),
            Err(error) => tracing::warn!(%error, "no webhook secret could be made; deliveries are refused"),
        }
    }
    secrets
}

async fn report(
    office: &Office,
    address: SocketAddr,
    serve: &Serve,
    token: bool,
    secrets: &Secrets,
) -> Started {
    let definitions = office.crew.definitions().await;
    let webhook = definitions.webhook.as_ref();
    let secret = webhook.and_then(|webhook| secrets.resolve(webhook.github_secret.as_ref()?));
    Started {
        address,
        findings: definitions.findings.clone(),
        employees: definitions.employees.len(),
        pipelines: definitions.pipelines.len(),
        routes: webhook.map_or(0, |webhook| webhook.routes.len()),
        schedules: definitions.cron.as_ref().filter(|_| serve.cron).map_or(0, |cron| cron.schedules.len()),
        token,
        sse: serve.sse,
        webhook: match (secret, &secrets.stand_in) {
            (None, _) if webhook.is_none() => Webhook::Absent,
            (None, _) => Webhook::Off,
            (Some(_), Some(_)) => Webhook::StandIn,
            (Some(_), None) => Webhook::Ready,
        },
    }
}

async fn run(listener: TcpListener, bridge: Bridge, bounds: Bounds, tracker: &Tracker) -> anyhow::Result<()> {
    let mut server = std::pin::pin!(http::serve(listener, bridge, bounds, tracker));
    tell_systemd(NotifyState::Ready);
    tokio::select! {
        () = &mut server => bail!("the server ended"),
        asked = asked_to_end() => asked.context("signals cannot be heard")?,
    }
    tracing::info!("ending: no new work is begun, running work has {} s", DRAIN.as_secs());
    tell_systemd(NotifyState::Stopping);
    tracker.stop();
    let drained = async {
        server.await;
        tracker.wait().await;
    };
    let passed = async {
        tokio::time::sleep(DRAIN.saturating_sub(LAST_WORD)).await;
        tracker.hurry();
        tokio::time::sleep(LAST_WORD).await;
    };
    tokio::select! {
        () = drained => return Ok(()),
        () = passed => {}
        // Whoever asks again does not want to wait.
        asked = asked_to_end() => asked.context("signals cannot be heard")?,
    }
    tracing::warn!("work is still running; it goes on with the next start");
    Ok(())
}

/// Tells the service manager how it stands, if one started this program and wants to know.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager cannot be told how the server stands");
    }
}

#[cfg(unix)]
async fn asked_to_end() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn asked_to_end() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_addresses_are() {
        for (host, expected) in
            [("::", "[::]:0"), ("::1", "[::1]:0"), ("0.0.0.0", "0.0.0.0:0"), ("localhost", "localhost:0")]
        {
            assert_eq!(place(host, 0), expected);
        }
    }

    #[tokio::test]
    async fn a_refusal_names_the_place() {
        let bind = Bind { host: "::".to_owned(), port: 0, insecure: false };
        let refused = listen(&bind, false).await.unwrap_err().to_string();
        assert!(refused.starts_with("others can reach `[::]:0`, and no token is set"), "{refused}");
    }
}
