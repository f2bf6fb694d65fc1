//! An institution that plays a script of answers on loopback.
use mingfen::clock::Clock;
use mingfen::protocol::crypto::PrivateKey;
use mingfen::protocol::wechat::sign::Stamp;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};

/// The key with which it signs, and with which the platform signs in these tests.
pub static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::from_pem(include_str!("../../vectors/wechat/test_only_key.pem")).unwrap());
/// The serial of its certificate.
pub const SERIAL_NO: &str = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1";

/// What the pretended institution does with one request.
pub enum Act {
    /// Answers this, correctly signed.
    Signed(u16, String),
    /// Answers exactly these bytes.
    Raw(Vec<u8>),
    /// Reads the request and answers nothing for as long as the caller stays.
    Silent,
    /// Reads the request and hangs up: the answer is lost.
    HangUp,
}

/// An institution on loopback that plays a script, one act a request, and remembers what it was sent.
pub struct Institution {
    pub base: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Institution {
    pub fn playing(script: impl FnOnce(&str) -> Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (acts, seen) = (script(&base), Arc::clone(&requests));
        std::thread::spawn(move || {
            for act in acts {
                let (mut stream, _) = listener.accept().unwrap();
                seen.lock().unwrap().push(read_request(&mut stream));
                match act {
                    Act::Signed(status, body) => stream.write_all(&signed(status, &body)).unwrap(),
                    Act::Raw(bytes) => drop(stream.write_all(&bytes)),
                    Act::Silent => drop(stream.read(&mut [0; 1])),
                    Act::HangUp => {}
                }
            }
        });
        Self { base, requests }
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
        if bytes.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let length = header(&String::from_utf8_lossy(&bytes), "content-length").map_or(0, |v| v.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    bytes.extend(body);
    String::from_utf8(bytes).unwrap()
}

pub fn header(request: &str, name: &str) -> Option<String> {
    let lines = request.split("\r\n").take_while(|line| !line.is_empty());
    let found = lines.filter_map(|l| l.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.to_owned())
}

pub fn raw(status: u16, headers: &[(&str, String)], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    format!("{text}\r\n{body}").into_bytes()
}

pub fn stamp(body: &str) -> Stamp {
    Stamp::sign(SERIAL_NO, &KEY, Clock::system().instant(), body.as_bytes()).unwrap()
}

pub fn signed(status: u16, body: &str) -> Vec<u8> {
    raw(status, &stamp(body).headers(), body)
}
