//! A server that takes mail: it speaks SMTP, shows a certificate of its own, and keeps what it is given.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use super::served::Served;

/// How it keeps others from reading along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From the beginning, as on port 465.
    Implicit,
    /// After `STARTTLS`, as on port 587.
    Start,
    /// Never; it does not know the word.
    None,
}

/// What it was given.
#[derive(Debug, Clone, Default)]
pub struct Letter {
    /// Whether it came through an encrypted connection.
    pub encrypted: bool,
    /// `user:password`, if somebody signed in.
    pub login: Option<String>,
    /// What was said of the sender.
    pub from: String,
    /// What was said of each recipient.
    pub to: Vec<String>,
    /// The letter itself.
    pub data: Vec<u8>,
}

/// What it answers to a command in place of taking it; the number is that of the connection, from 0.
type Refuse = dyn Fn(usize, &str) -> Option<&'static str> + Send + Sync;

#[derive(Default)]
struct Heard {
    commands: Vec<String>,
    letters: Vec<Letter>,
}

/// A server of mail on a port of its own.
pub struct MailServer {
    pub port: u16,
    /// Its certificate, in PEM.
    pub certificate: String,
    heard: Arc<Mutex<Heard>>,
    /// Ends it when dropped.
    _served: Served,
}

impl MailServer {
    /// Takes all mail.
    pub async fn start(tls: Tls) -> Self {
        Self::refusing(tls, |_, _| None).await
    }

    /// Answers commands with what `refuse` makes of them, and takes the rest.
    pub async fn refusing(
        tls: Tls,
        refuse: impl Fn(usize, &str) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        let (certificate, acceptor) = super::certificate();
        let heard = Arc::<Mutex<Heard>>::default();
        let desk = Desk { tls, acceptor, refuse: Arc::new(refuse), heard: heard.clone() };
        let served = Served::by(async move |listener| {
            for number in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                // One after the other is enough. A client that goes away is nobody's fault.
                let _ = desk.clone().serve(number, socket).await;
            }
        });
        let served = served.await;
        Self { port: served.address.port(), certificate, heard, _served: served }
    }

    /// All that was taken so far.
    pub fn letters(&self) -> Vec<Letter> {
        self.heard.lock().unwrap().letters.clone()
    }

    /// All that was said so far outside of letters.
    pub fn commands(&self) -> Vec<String> {
        self.heard.lock().unwrap().commands.clone()
    }
}

#[derive(Clone)]
struct Desk {
    tls: Tls,
    acceptor: TlsAcceptor,
    refuse: Arc<Refuse>,
    heard: Arc<Mutex<Heard>>,
}

/// Why a conversation ended.
enum Turn {
    Over,
    Encrypt,
}

impl Desk {
    async fn serve(self, number: usize, socket: TcpStream) -> std::io::Result<()> {
        if self.tls == Tls::Implicit {
            let mut socket = self.acceptor.accept(socket).await?;
            self.converse(number, &mut socket, true, true).await?;
            return Ok(());
        }
        let mut socket = socket;
        if let Turn::Encrypt = self.converse(number, &mut socket, false, true).await? {
            let mut socket = self.acceptor.accept(socket).await?;
            self.converse(number, &mut socket, true, false).await?;
        }
        Ok(())
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        number: usize,
        socket: &mut S,
        encrypted: bool,
        greets: bool,
    ) -> std::io::Result<Turn> {
        let mut socket = BufReader::new(socket);
        if greets {
            socket.write_all(b"220 mail.test ESMTP\r\n").await?;
        }
        let mut letter = Letter { encrypted, ..Letter::default() };
        let mut line = String::new();
        loop {
            socket.flush().await?;
            line.clear();
            if socket.read_line(&mut line).await? == 0 {
                return Ok(Turn::Over);
            }
            let command = line.trim_end();
            self.heard.lock().unwrap().commands.push(command.to_owned());
            let answer = if let Some(refusal) = (self.refuse)(number, command) {
                refusal
            } else if command.starts_with("EHLO") {
                match (self.tls, encrypted) {
                    (Tls::Start, false) => "250-mail.test\r\n250 STARTTLS",
                    _ => "250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                }
            } else if command == "STARTTLS" && self.tls == Tls::Start && !encrypted {
                socket.write_all(b"220 go on\r\n").await?;
                socket.flush().await?;
                return Ok(Turn::Encrypt);
            } else if let Some(plain) = command.strip_prefix("AUTH PLAIN ") {
                let words = String::from_utf8(STANDARD.decode(plain).unwrap()).unwrap();
                letter.login = Some(words.trim_start_matches('\0').replace('\0', ":"));
                "235 welcome"
            } else if let Some(from) = command.strip_prefix("MAIL FROM:") {
                from.clone_into(&mut letter.from);
                "250 ok"
            } else if let Some(to) = command.strip_prefix("RCPT TO:") {
                letter.to.push(to.to_owned());
                "250 ok"
            } else if command == "DATA" {
                socket.write_all(b"354 go on\r\n").await?;
                socket.flush().await?;
                letter.data = data(&mut socket).await?;
                self.heard.lock().unwrap().letters.push(letter.clone());
                "250 taken"
            } else if command == "NOOP" {
                "250 ok"
            } else if command == "QUIT" {
                socket.write_all(b"221 bye\r\n").await?;
                socket.flush().await?;
                return Ok(Turn::Over);
            } else {
                "502 what?"
            };
            socket.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }
}

/// A letter, up to the line that is a dot alone.
async fn data<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut BufReader<S>) -> std::io::Result<Vec<u8>> {
    let mut letter = Vec::new();
    loop {
        let mut line = Vec::new();
        if socket.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(letter);
        }
        letter.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
