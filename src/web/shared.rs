//! Budgets that all replicas of a server share, counted in Redis.
//!
//! Each replica counts for itself as well, by the same rule. So nobody waits for Redis longer than [`Sharing::patience`], no
//! request fails for it, and while it is away there is still a limit: that of each replica.

use std::{net::IpAddr, num::NonZeroU32, sync::OnceLock, time::Duration};

use metrics::counter;
use parking_lot::Mutex;
use redis::{
    Client, FromRedisValue, RedisError, Script, ScriptInvocation, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};

use crate::base::{Breaker, Secret, clock::Stopwatch, metric};

/// How long it may take to be connected, which no request waits for.
const CONNECTING: Duration = Duration::from_secs(2);
/// After so many failures in a row it is left alone for [`REST`], and then tried with one request.
const FAILURES: u32 = 3;
const REST: Duration = Duration::from_secs(1);
/// How often it is told that it is away.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// For how many milliseconds `key` counts at least `most` failures.
const BLOCKED: &str = r"
local function blocked(key, most)
  local count = tonumber(redis.call('GET', key) or 0)
  if count < tonumber(most) then return 0 end
  return math.max(redis.call('PTTL', key), 1)
end
";

/// The rule of the local budget (GCRA): so many at once, and then one whenever its share of a minute has passed. `KEYS[1]`
/// holds when everything taken so far is paid for, in microseconds by the clock of Redis, which all replicas share. The
/// second number is for how long the failures in `KEYS[2]` block, which need not be asked for by itself then.
const TAKE: &str = r"
local left = blocked(KEYS[2], ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local share, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local earliest = paid - share * (burst - 1)
if now < earliest then return {earliest - now, left} end
paid = paid + share
redis.call('SET', KEYS[1], string.format('%.0f', paid), 'PX', math.ceil((paid - now) / 1000))
return {0, left}
";

/// Counts a failure in `KEYS[1]`, in a window of `ARGV[1]` milliseconds that begins with the first.
const FAIL: &str = r"
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
";

/// The name that failures are counted under.
const FAILED: &str = "failures";

/// Where budgets are shared, and how.
#[derive(Debug)]
pub struct Sharing {
    /// The address of Redis, which may hold a password.
    pub url: Secret,
    /// What its certificate is signed by (PEM), if that is not one of those that the system trusts.
    pub authority: Option<Vec<u8>>,
    /// What the names of all keys begin with.
    pub prefix: String,
    /// How long a request waits for it.
    pub patience: Duration,
}

/// Redis, as far as limits need it.
#[derive(Debug)]
pub struct Shared {
    client: Client,
    prefix: String,
    patience: Duration,
    connection: OnceLock<ConnectionManager>,
    breaker: Breaker,
    since: Stopwatch,
    /// When it was last told that it is away, while it is.
    away: Mutex<Option<Stopwatch>>,
    take: Script,
    fail: Script,
    blocked: Script,
}

/// An address or a certificate that no Redis can be reached with. Neither is told: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRedis {
    /// The address.
    #[error("it is no address such as `redis://redis.example:6379/0`, or `rediss://` for TLS")]
    Address,
    /// What the certificate of the server is to be signed by.
    #[error("its file of certificates holds none that can be used")]
    Authority,
    /// The two together.
    #[error("it has a file of certificates and no TLS; `rediss://` asks for that")]
    Plain,
}

impl Shared {
    /// Connects when it is first asked.
    ///
    /// # Errors
    /// [`NoRedis`].
    pub fn new(Sharing { url, authority, prefix, patience }: Sharing) -> Result<Self, NoRedis> {
        let url = url.expose();
        if !["redis://", "rediss://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(NoRedis::Address);
        }
        let client = match authority {
            None => Client::open(url).map_err(|_| NoRedis::Address)?,
            Some(_) if !url.starts_with("rediss://") => return Err(NoRedis::Plain),
            Some(root_cert) => {
                Client::open(url).map_err(|_| NoRedis::Address)?;
                // A file without any would mean that nobody is trusted.
                if CertificateDer::pem_slice_iter(&root_cert).next().is_none_or(|first| first.is_err()) {
                    return Err(NoRedis::Authority);
                }
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
                Client::build_with_tls(url, certificates).map_err(|_| NoRedis::Authority)?
            }
        };
        Ok(Self {
            client,
            prefix,
            patience,
            connection: OnceLock::new(),
            breaker: Breaker::new(FAILURES, REST),
            since: Stopwatch::start(),
            away: Mutex::new(None),
            take: Script::new(&[BLOCKED, TAKE].concat()),
            fail: Script::new(FAIL),
            blocked: Script::new(&[BLOCKED, "return blocked(KEYS[1], ARGV[1])"].concat()),
        })
    }

    /// Whether it answers, within two seconds.
    ///
    /// # Errors
    /// Why not.
    pub async fn greet(&self) -> Result<(), String> {
        let greeting = async {
            let connection = self.client.get_multiplexed_async_connection().await;
            redis::cmd("PING").query_async::<()>(&mut connection?).await
        };
        match tokio::time::timeout(CONNECTING, greeting).await {
            Ok(answered) => answered.map_err(|error| error.to_string()),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }

    /// Counts one request of `address` in the budget of this name, and tells for how long the address has failed at least
    /// `failures` times; `None` when only this process can count.
    ///
    /// # Errors
    /// How long it takes until there may be one more.
    pub(super) async fn take(
        &self,
        budget: &str,
        address: IpAddr,
        per_minute: NonZeroU32,
        failures: u32,
    ) -> Option<Result<Option<Duration>, Duration>> {
        let share = 60_000_000 / per_minute;
        let mut asked = self.take.key(self.key(budget, address));
        let asked = asked.key(self.key(FAILED, address)).arg(share).arg(per_minute.get()).arg(failures);
        let (wait, left) = self.ask::<(u64, u64)>(asked).await?;
        Some(if wait == 0 { Ok(blocking(left)) } else { Err(Duration::from_micros(wait)) })
    }

    /// Counts a failure of `address` in a window of this length.
    pub(super) async fn fail(&self, address: IpAddr, window: Duration) {
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let mut asked = self.fail.key(self.key(FAILED, address));
        self.ask::<u64>(asked.arg(window)).await;
    }

    /// How long `address` has failed at least `most` times.
    pub(super) async fn blocked(&self, address: IpAddr, most: u32) -> Option<Duration> {
        let mut asked = self.blocked.key(self.key(FAILED, address));
        blocking(self.ask(asked.arg(most)).await?)
    }

    /// An address is of nobody's interest there but ours.
    fn key(&self, budget: &str, address: IpAddr) -> String {
        let digest = Sha256::digest(format!("{} {budget} {address}", self.prefix));
        let digest = hex::encode(digest.get(..16).unwrap_or_default());
        format!("{}:limit:{budget}:{digest}", self.prefix)
    }

    /// `None` when there is no answer in time.
    async fn ask<T: FromRedisValue>(&self, asked: &ScriptInvocation<'_>) -> Option<T> {
        let count = |by: &'static str| counter!(metric::SHARED_LIMITS, "counted_by" => by).increment(1);
        let Ok(pass) = self.breaker.admit(self.since.elapsed()) else {
            count("replica");
            return None;
        };
        let answer = async { asked.invoke_async(&mut self.connection()?).await };
        let failed = match tokio::time::timeout(self.patience, answer).await {
            Ok(Ok(answer)) => {
                pass.reached();
                count("redis");
                self.is_there();
                return Some(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not answer in time".to_owned(),
        };
        pass.failed(self.since.elapsed());
        count("replica");
        self.is_away(&failed);
        None
    }

    fn connection(&self) -> Result<ConnectionManager, RedisError> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(CONNECTING));
        let connection = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        Ok(self.connection.get_or_init(|| connection).clone())
    }

    fn is_away(&self, why: &str) {
        let mut away = self.away.lock();
        if away.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            *away = Some(Stopwatch::start());
            tracing::warn!(error = why, "Redis is away: each replica keeps to the limits by itself");
        }
    }

    fn is_there(&self) {
        if self.away.lock().take().is_some() {
            tracing::info!("Redis is there again: replicas share their limits");
        }
    }
}

/// So many milliseconds, unless there are none.
fn blocking(left: u64) -> Option<Duration> {
    (left > 0).then(|| Duration::from_millis(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str, authority: Option<&str>) -> Result<Shared, NoRedis> {
        Shared::new(Sharing {
            url: Secret::new(url).unwrap(),
            authority: authority.map(|text| text.as_bytes().to_vec()),
            prefix: "crew".to_owned(),
            patience: Duration::from_millis(10),
        })
    }

    #[track_caller]
    fn check(url: &str, authority: Option<&str>, expected: Option<NoRedis>) {
        assert_eq!(at(url, authority).err(), expected, "{url}");
    }

    #[test]
    fn only_what_is_an_address_is_one() {
        check("redis://127.0.0.1", None, None);
        check("redis://user:pass@redis.example:6380/2", None, None);
        check("rediss://redis.example", None, None);
        check("unix:///run/redis.sock", None, Some(NoRedis::Address));
        check("127.0.0.1:6379", None, Some(NoRedis::Address));
        check("redis://redis.example/no-number", None, Some(NoRedis::Address));
        check("redis://redis.example", Some(""), Some(NoRedis::Plain));
        check("rediss://redis.example", Some("no certificate"), Some(NoRedis::Authority));
    }

    #[test]
    fn no_password_and_no_address_of_a_client_is_told() {
        let shared = at("redis://me:s3cret@127.0.0.1", None).unwrap();
        assert!(!format!("{shared:?}").contains("s3cret"), "{shared:?}");
        let key = shared.key("requests", IpAddr::from([192, 0, 2, 1]));
        assert!(key.starts_with("crew:limit:requests:") && !key.contains("192"), "{key}");
        assert_ne!(key, shared.key("deliveries", IpAddr::from([192, 0, 2, 1])));
        assert_ne!(key, shared.key("requests", IpAddr::from([192, 0, 2, 2])));
    }

    #[tokio::test]
    async fn what_does_not_answer_keeps_nobody_waiting() {
        // It takes connections and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", silent.local_addr().unwrap());
        let shared = at(&url, None).unwrap();
        let (address, sixty) = (IpAddr::from([192, 0, 2, 1]), NonZeroU32::new(60).unwrap());
        for _ in 0..FAILURES {
            assert_eq!(shared.take("requests", address, sixty, 1).await, None);
        }
        assert!(shared.breaker.admit(shared.since.elapsed()).is_err(), "it is left alone");
        assert_eq!(shared.blocked(address, 1).await, None);
        assert!(shared.greet().await.is_err());
    }
}
