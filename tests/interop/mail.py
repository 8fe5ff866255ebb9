#!/usr/bin/env python3
"""Has `serve` mail results through a server of somebody else's making, aiosmtpd, in both kinds of TLS and with a login.

    pip install aiosmtpd
    tests/interop/mail.py target/debug/knowlyr-crew

Needs openssl. All listens on 127.0.0.1. Prints a line for each thing tried, and exits with 1 when one is wrong.
"""

import email
import email.policy
import json
import logging
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from pathlib import Path

# What it says of logins before TLS, and of clients that go away.
warnings.simplefilter("ignore")
logging.getLogger("mail.log").setLevel(logging.CRITICAL)

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

USER, PASSWORD = "crew@example.com", "mail-pass-9b1f"
PROJECT = {
    "employees/clerk.md": "---\nname: clerk\ndescription: Repeats\nmodel: echo\nargs: [{name: text, default: tea}]\n---\n\nSay: $text\n",
    "pipelines/report.yaml": "name: report\ndescription: A report\nargs: [{name: text, default: tea}]\n"
    "steps: [{id: write, employee: clerk, args: {text: $text}}]\n"
    "deliver:\n  - {type: email, to: '王 <wang@example.com>', subject: '【日报】{name} {status}'}\n",
}


class Letters:
    def __init__(self):
        self.all = []

    async def handle_DATA(self, server, session, envelope):
        self.all.append((server.transport.get_extra_info("cipher") is not None, session.authenticated, envelope))
        return "250 OK"


class Smtp(Controller):
    def _trigger_server(self):
        # Its own trial would take the certificate of a server for that of a client.
        with socket.create_connection((self.hostname, self.port), 1) as stream:
            if self.ssl_context:
                client = ssl.create_default_context()
                client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
                stream = client.wrap_socket(stream)
            stream.recv(1024)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()), handled=True)


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))


class Crew:
    """The server, which mails through the one at `port`."""

    def __init__(self, program, folder, port, way, authority):
        env = os.environ | {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_USER": USER, "SMTP_PASS": PASSWORD,
                            "SMTP_FROM": "Crew <crew@example.com>", "SMTP_TLS": way, "SMTP_CA_FILE": authority,
                            "CREW_DELIVERY__ATTEMPTS": "2", "CREW_DELIVERY__RETRY_SECONDS": "0.1"}
        words = [program, "serve", "-d", folder, "--port", "0"]
        self.process = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True)
        line = next(line for line in self.process.stderr if " listens on " in line)
        self.url = re.search(r"http://\S+", line)[0]

    def delivered(self):
        """Runs the pipeline, and waits for what became of its letter."""
        task = ask(f"{self.url}/run/pipeline/report", {"args": {"text": "茶 & <b>cake</b>"}})["task_id"]
        for _ in range(300):
            found = [one for one in ask(f"{self.url}/deliveries")["deliveries"] if one["task_id"] == task]
            if found and found[0]["status"] in ("delivered", "dead"):
                return found[0]
            time.sleep(0.1)
        raise SystemExit(f"nothing became of {found}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


def certificate(folder, name):
    key, made = f"{folder}/{name}.key", f"{folder}/{name}.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", made]
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
    return key, made


def main(program):
    failed = []

    def check(title, found, expected):
        good = found == expected
        print(f"ok    {title}" if good else f"WRONG {title}: {found!r}, not {expected!r}")
        failed.extend([] if good else [title])

    with tempfile.TemporaryDirectory() as folder:
        for name, text in PROJECT.items():
            path = Path(folder, ".crew", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (key, own), (_, other) = certificate(folder, "own"), certificate(folder, "other")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own, key)
        for way in ("starttls", "implicit"):
            letters = Letters()
            tls = {"tls_context": context, "require_starttls": True} if way == "starttls" else {"ssl_context": context}
            port = free_port()
            smtp = Smtp(letters, "127.0.0.1", port, authenticator=login, auth_required=True,
                        auth_require_tls=way == "starttls", **tls)
            smtp.start()
            with Crew(program, folder, port, way, own) as crew:
                sent = crew.delivered()
                check(f"{way}: delivered", (sent["status"], sent["detail"]), ("delivered", "SMTP 250 to 王 <wang@example.com>"))
            check(f"{way}: one letter", len(letters.all), 1)
            for encrypted, known, envelope in letters.all:
                read = email.message_from_bytes(envelope.content, policy=email.policy.default)
                check(f"{way}: encrypted, logged in", (encrypted, known), (True, True))
                check(f"{way}: for whom", envelope.rcpt_tos, ["wang@example.com"])
                check(f"{way}: its subject", read["subject"].startswith("【日报】report "), True)
                check(f"{way}: as text", "茶 & <b>cake</b>" in read.get_body(("plain",)).get_content(), True)
                check(f"{way}: as HTML", "茶 &amp; &lt;b&gt;cake&lt;/b&gt;" in read.get_body(("html",)).get_content(), True)
            with Crew(program, folder, port, way, other) as crew:
                lost = crew.delivered()
            check(f"{way}: a server that cannot prove who it is", (lost["status"], len(letters.all)), ("dead", 1))
            smtp.stop()
    sys.exit(1 if failed else 0)


main(sys.argv[1])
