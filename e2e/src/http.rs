//! A small HTTP/1.1 server for fixtures, with TLS or without: one thread a connection, one request
//! each, loopback only.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::pki::Pair;

/// The most that one request may carry.
const BODY_LIMIT: u64 = 64 * 1024 * 1024;

/// How long a peer may be silent.
const SILENCE: Duration = Duration::from_mins(1);

/// One request, read whole.
#[derive(Debug)]
pub struct Request {
    /// The method, e.g. `GET`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// What follows the `?`; empty when there is none.
    pub query: String,
    /// Header fields; names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields; length and connection are added.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer with a body and nothing else.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }
}

/// A server on a loopback port of its own. Dropping it stops it.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl HttpServer {
    /// Serves every request with `handler`; an error becomes a 500 with its text.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(
        handler: impl Fn(&Request) -> Result<Response> + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::listen(move |stream| serve(stream, &handler))
    }

    /// The same, with TLS and this certificate.
    ///
    /// # Errors
    /// When no port is free or the certificate can't be used.
    pub fn start_tls(
        pair: &Pair,
        handler: impl Fn(&Request) -> Result<Response> + Send + Sync + 'static,
    ) -> Result<Self> {
        let certificate = CertificateDer::from_pem_slice(pair.cert.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        let config = Arc::new(config);
        Self::listen(move |stream| {
            let session = ServerConnection::new(Arc::clone(&config))?;
            serve(StreamOwned::new(session, stream), &handler)
        })
    }

    fn listen(serve: impl Fn(TcpStream) -> Result<()> + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(stream), serve) = (stream, Arc::clone(&serve)) else {
                    continue;
                };
                // A peer that goes away in mid-request is no concern of the server's.
                thread::spawn(move || {
                    drop(
                        stream
                            .set_read_timeout(Some(SILENCE))
                            .map_err(anyhow::Error::from)
                            .and_then(|()| serve(stream)),
                    );
                });
            }
        });
        Ok(Self { address, stopped })
    }

    /// The server's base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // The listener waits for a connection: this is it.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: impl Read + Write, handler: &dyn Fn(&Request) -> Result<Response>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let request = read_request(&mut reader)?;
    let response =
        handler(&request).unwrap_or_else(|error| Response::new(500, format!("{error:#}\n")));
    let mut head = Vec::new();
    write!(
        head,
        "HTTP/1.1 {} -\r\nconnection: close\r\n",
        response.status
    )?;
    for (name, value) in &response.headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    write!(head, "content-length: {}\r\n\r\n", response.body.len())?;
    let mut stream = reader.into_inner();
    stream.write_all(&head)?;
    if request.method != "HEAD" {
        stream.write_all(&response.body)?;
    }
    stream.flush()?;
    Ok(())
}

fn read_request(reader: &mut BufReader<impl Read + Write>) -> Result<Request> {
    let line = read_line(reader)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        bail!("not a request line: {line}");
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(':')
            .context("a header field without a colon")?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    if headers
        .get("expect")
        .is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue"))
    {
        reader
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = read_body(reader, &headers)?;
    Ok(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    })
}

fn read_body(
    reader: &mut BufReader<impl Read>,
    headers: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding.contains("chunked"))
    {
        loop {
            let line = read_line(reader)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).context("a chunk's size")?;
            if size == 0 {
                while !read_line(reader)?.is_empty() {}
                return Ok(body);
            }
            reader.by_ref().take(size).read_to_end(&mut body)?;
            if body.len() as u64 > BODY_LIMIT {
                bail!("the body is larger than {BODY_LIMIT} bytes");
            }
            read_line(reader)?;
        }
    }
    if let Some(length) = headers.get("content-length") {
        let length: u64 = length.parse().context("content-length")?;
        if length > BODY_LIMIT {
            bail!("the body is larger than {BODY_LIMIT} bytes");
        }
        reader.by_ref().take(length).read_to_end(&mut body)?;
    }
    Ok(body)
}

fn read_line(reader: &mut BufReader<impl Read>) -> Result<String> {
    let mut line = String::new();
    if reader.by_ref().take(16 * 1024).read_line(&mut line)? == 0 {
        bail!("the peer closed the connection");
    }
    Ok(line.trim_end().to_owned())
}

/// The status code that `http://address/path` answers with.
///
/// # Errors
/// When nobody answers.
pub fn get_status(address: &str, path: &str) -> Result<u16> {
    status(&read_line(&mut get(address, path)?)?)
}

/// What `http://address/path` answers, head and body, to the end of the connection.
///
/// # Errors
/// When nobody answers, with another code than 200, or with anything but text.
pub fn get_text(address: &str, path: &str) -> Result<String> {
    let mut answer = String::new();
    get(address, path)?.read_to_string(&mut answer)?;
    match status(answer.lines().next().unwrap_or_default())? {
        200 => Ok(answer),
        code => bail!("{path} answers {code}"),
    }
}

fn get(address: &str, path: &str) -> Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    Ok(BufReader::new(stream))
}

fn status(line: &str) -> Result<u16> {
    let code = line.split_whitespace().nth(1).context("no status line")?;
    Ok(code.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_arrives_whole_and_its_answer_goes_back() {
        let server = HttpServer::start(|request| {
            assert_eq!(
                (request.method.as_str(), request.path.as_str()),
                ("GET", "/a")
            );
            Ok(Response::new(
                if request.query == "b=c" { 204 } else { 400 },
                "",
            ))
        })
        .unwrap();
        let address = server.url().replace("http://", "");
        assert_eq!(get_status(&address, "/a?b=c").unwrap(), 204);
    }

    #[test]
    fn chunks_become_one_body() {
        let server =
            HttpServer::start(|request| Ok(Response::new(200, request.body.clone()))).unwrap();
        let mut stream = TcpStream::connect(server.url().replace("http://", "")).unwrap();
        stream
            .write_all(
                b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            )
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("\r\n\r\nabcde"), "{answer}");
    }
}
