use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use std::net::SocketAddr;

use super::*;

/// A server on loopback that answers each path with a fixed text, and remembers what it was asked.
async fn server(
    answers: impl Fn(&str, SocketAddr) -> String + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                if read == 0 {
                    break;
                }
                request.extend_from_slice(&buffer[..read]);
            }
            let text = String::from_utf8(request).unwrap();
            let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = answers(&path, address);
            heard.lock().unwrap().push(text);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, asked)
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn redirect(to: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

/// Every name resolves to these addresses.
fn resolver(addresses: &[&str]) -> Resolve {
    let addresses: Vec<SocketAddr> = addresses
        .iter()
        .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
        .collect();
    Arc::new(move |_| {
        let addresses = addresses.clone();
        Box::pin(async move { Ok(addresses) })
    })
}

fn source(open: &str, resolve: Resolve) -> HttpArtifacts {
    HttpArtifacts::with_resolver(AddressPolicy::parse(open).unwrap(), resolve).unwrap()
}

#[tokio::test]
async fn an_artifact_is_downloaded_anonymously() {
    let (address, asked) = server(|path, address| match path {
        "/a" => redirect("/b?sig=1"),
        "/b?sig=1" => redirect(&format!("http://named.example:{}/c", address.port())),
        _ => ok("bytes"),
    })
    .await;
    let source = source("127.0.0.0/8", resolver(&["127.0.0.1"]));
    let fetched = source.fetch(&format!("http://{address}/a"), 5).await;
    assert_eq!(fetched, Ok(Bytes::from("bytes")));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    for request in asked.iter() {
        let request = request.to_lowercase();
        assert!(
            !request.contains("authorization") && !request.contains("cookie"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn bounds_and_statuses() {
    let (address, asked) = server(|path, _| match path {
        "/loop" => redirect("/loop"),
        "/chunked" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                       5\r\nabcde\r\n5\r\nfghij\r\n0\r\n\r\n"
            .into(),
        "/large" => "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n".into(),
        "/partial" => "HTTP/1.1 206 Partial Content\r\ncontent-length: 0\r\n\r\n".into(),
        "/cut" => "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab".into(),
        "/file" => redirect("file:///etc/passwd"),
        _ => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(),
    })
    .await;
    let source = source("127.0.0.0/8", resolver(&["127.0.0.1"]));
    let transient = FailureClass::Transient { retry_after: None };
    for (path, class, said) in [
        ("/loop", transient.clone(), "more than 10 redirects"),
        (
            "/chunked",
            FailureClass::Terminal,
            "larger than the limit of 5 bytes",
        ),
        (
            "/large",
            FailureClass::Terminal,
            "larger than the limit of 5 bytes",
        ),
        ("/partial", transient.clone(), "206"),
        ("/cut", transient.clone(), ""),
        ("/file", FailureClass::Terminal, "absolute http"),
        ("/none", transient.clone(), "404"),
    ] {
        let failure = source
            .fetch(&format!("http://{address}{path}"), 5)
            .await
            .unwrap_err();
        assert_eq!(failure.class, class, "{path}: {failure}");
        assert!(failure.message.contains(said), "{path}: {failure}");
    }
    let loops = asked
        .lock()
        .unwrap()
        .iter()
        .filter(|r| r.starts_with("GET /loop"))
        .count();
    assert_eq!(loops, 11, "the first request and ten redirects");
}

#[tokio::test]
async fn attack_a18_no_hop_leads_to_a_refused_address() {
    let (address, asked) = server(|_, _| ok("secret")).await;
    let port = address.port();
    let closed = source("", resolver(&["127.0.0.1"]));
    for url in [
        format!("http://127.0.0.1:{port}/a"),
        format!("http://[::ffff:127.0.0.1]:{port}/a"),
        format!("http://harmless.example:{port}/a"),
        format!("http://localhost:{port}/a"),
        format!("http://127.1:{port}/a"),
        format!("http://2130706433:{port}/a"),
    ] {
        let failure = closed.fetch(&url, 100).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Terminal, "{url}: {failure}");
    }
    // One bad address among several is enough: which one would be dialled is chance.
    let mixed = source("", resolver(&["203.0.113.7", "127.0.0.1"]));
    let failure = mixed
        .fetch(&format!("http://mixed.example:{port}/a"), 100)
        .await
        .unwrap_err();
    assert!(failure.message.contains("loopback"), "{failure}");
    assert!(asked.lock().unwrap().is_empty(), "nobody was called");
}

#[tokio::test]
async fn a_redirect_is_checked_like_a_first_request() {
    let (inner, asked) = server(|_, _| ok("secret")).await;
    let target = format!("http://127.0.0.2:{}/secret", inner.port());
    let to = target.clone();
    let (outer, _) = server(move |_, _| redirect(&to)).await;
    let source = source("127.0.0.1/32", resolver(&["127.0.0.1"]));
    let failure = source
        .fetch(&format!("http://{outer}/a"), 100)
        .await
        .unwrap_err();
    assert_eq!(failure.class, FailureClass::Terminal, "{failure}");
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn attack_a18_a_name_that_changes_its_answer_is_checked_each_time() {
    let (address, asked) = server(|path, _| {
        if path == "/a" {
            redirect("/b")
        } else {
            ok("x")
        }
    })
    .await;
    let answers = Mutex::new(vec!["127.0.0.2", "127.0.0.1"]);
    let resolve: Resolve = Arc::new(move |_| {
        let ip = answers.lock().unwrap().pop().unwrap();
        Box::pin(async move { Ok(vec![SocketAddr::new(ip.parse().unwrap(), 0)]) })
    });
    let source = source("127.0.0.1/32", resolve);
    let url = format!("http://rebinding.example:{}/a", address.port());
    let failure = source.fetch(&url, 100).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Terminal, "{failure}");
    assert_eq!(
        asked.lock().unwrap().len(),
        1,
        "the second hop wasn't called"
    );
}

#[tokio::test]
async fn messages_hold_no_signature() {
    let source = source("", resolver(&["127.0.0.1"]));
    let failure = source
        .fetch("http://127.0.0.1/a?sig=hunter2", 1)
        .await
        .unwrap_err();
    assert!(!failure.message.contains("hunter2"), "{failure}");
}
