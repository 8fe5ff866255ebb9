//! The letter: who it is to, what it says, and nothing in its head that came from outside unlooked at.

use std::fmt::Write as _;

use lettre::{
    Message as Letter,
    message::{Mailboxes, MultiPart, header},
};

use super::Mail;
use crate::{
    base::text::truncate,
    defs::{Subject, SubjectPlace},
    engine::delivery::{courier::Parcel, message::Message},
};

/// Most characters of what ran gave.
const CHARS: usize = 20_000;
/// Most characters of a subject.
const SUBJECT: usize = 200;
/// Most recipients.
const RECIPIENTS: usize = 50;

/// Writes the letter.
///
/// # Errors
/// What is no address.
pub(super) fn write(
    mail: &Mail,
    parcel: &Parcel<'_>,
    to: &[String],
    subject: Option<&Subject>,
) -> Result<Letter, String> {
    let mut everyone = Mailboxes::new();
    for text in to {
        let wrong = || format!("`{}` is no address of mail", text.escape_debug());
        if text.contains(char::is_control) {
            return Err(wrong());
        }
        let some: Mailboxes = text.trim().replace(';', ",").parse().map_err(|_| wrong())?;
        some.into_iter().for_each(|one| everyone.push(one));
    }
    if everyone.iter().count() > RECIPIENTS {
        return Err(format!("a mail goes to at most {RECIPIENTS} recipients"));
    }
    let message = parcel.message;
    let host = mail.from.email.domain();
    Letter::builder()
        .from(mail.from.clone())
        .mailbox(header::To::from(everyone))
        .subject(subject_of(message, subject))
        // The same for every attempt: a server that knows it may leave the second out.
        .message_id(Some(format!("<{}@{host}>", parcel.id)))
        .header(header::MIME_VERSION_1_0)
        .multipart(MultiPart::alternative_plain_html(message.text(CHARS), html(message)))
        .map_err(|error| error.to_string())
}

/// One line, whatever was filled in.
fn subject_of(message: &Message, subject: Option<&Subject>) -> String {
    let filled = match subject {
        None => message.title(),
        Some(subject) => subject.fill(|place| match place {
            SubjectPlace::Name => message.name.clone(),
            SubjectPlace::Status => message.status().to_owned(),
            SubjectPlace::Date => message.date.clone(),
            SubjectPlace::Target => message.target.clone(),
            SubjectPlace::TaskId => message.task_id.clone(),
        }),
    };
    let plain: String = filled.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    truncate(plain.trim(), SUBJECT)
}

fn html(message: &Message) -> String {
    const PRE: &str = "<pre style=\"white-space:pre-wrap;font-family:inherit;margin:0\">";
    let words = message.words;
    let colour = if message.done { "#1a7f37" } else { "#cf222e" };
    let mut html = format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"></head><body style=\"font-family:sans-serif\">\
         <h2 style=\"color:{colour}\">{}</h2>",
        escape(&message.title())
    );
    let heading = if message.done { words.result } else { words.error };
    let _ = write!(html, "<h3>{heading}</h3>{PRE}{}</pre>", escape(&message.main(CHARS)));
    if !message.steps.is_empty() {
        let _ = write!(html, "<h3>{}</h3><ol>", words.steps);
        for step in &message.steps {
            let line = format!("{} {}", step.state.mark(), step.line(words));
            let _ = write!(html, "<li><b>{}</b>{PRE}{}</pre></li>", escape(&line), escape(&step.text));
        }
        html.push_str("</ol>");
    }
    let _ = write!(
        html,
        "<p style=\"color:#57606a\">{}<br>{} {}</p></body></html>",
        escape(&message.account),
        words.task,
        escape(&message.task_id)
    );
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
