//! Keys, strings to sign, headers, envelopes and the attach prefix of WeChat Pay APIv3.
use mingfen::kernel::calendar::Instant;
use mingfen::kernel::digest::Digest;
use mingfen::protocol::crypto::certificate::Certificate;
use mingfen::protocol::crypto::{
    CryptoError, MasterKey, PrivateKey, PublicKey, aes_gcm_open, aes_gcm_seal, base64, constant_eq,
    from_base64, random_nonce, sha1_hex,
};
use mingfen::protocol::wechat::attach::{self, AttachFault, Declared};
use mingfen::protocol::wechat::notification::{self, ApiV3Key, EnvelopeFault, Event};
use mingfen::protocol::wechat::sign::{
    AnswerKey, Authorization, HeaderFault, Signer, Stamp, StampFault, is_fresh, request_string, same_serial,
};
use mingfen::protocol::wechat::{certificates, sign};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

const KEY_PEM: &str = include_str!("../vectors/wechat/test_only_key.pem");
const PUBLIC_PEM: &str = include_str!("../vectors/wechat/public_key.pem");
const CERTIFICATE_PEM: &str = include_str!("../vectors/wechat/certificate.pem");
static KNOWN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/wechat/known.json")).unwrap());
static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::from_pem(KEY_PEM).unwrap());
static PUBLIC: LazyLock<PublicKey> = LazyLock::new(|| PublicKey::from_pem(PUBLIC_PEM).unwrap());

fn known(pointer: &str) -> &'static str {
    KNOWN.pointer(pointer).unwrap().as_str().unwrap()
}

fn apiv3() -> ApiV3Key {
    ApiV3Key::parse(known("/apiv3_key")).unwrap()
}

fn moment() -> Instant {
    Instant::new(1_767_225_600)
}

#[test]
fn signatures_of_an_independent_implementation_verify_over_raw_bytes() {
    let timestamp = KNOWN["request"]["timestamp"].as_i64().unwrap();
    let (target, body) = (known("/request/target"), known("/request/body"));
    let signature = from_base64(known("/request/signature")).unwrap();
    let text = request_string("POST", target, timestamp, known("/request/nonce"), body.as_bytes());
    assert!(PUBLIC.verify(&text, &signature));
    assert!(PUBLIC.verify_digest(&Digest::of(&text), &signature));
    // PKCS#1 v1.5 is deterministic: our own signature is the same bytes.
    assert_eq!(KEY.sign_sha256(&text).unwrap(), signature);
    assert_eq!(KEY.sign_digest(&Digest::of(&text)).unwrap(), signature);
    let reserialised: Value = serde_json::from_str(body).unwrap();
    let text = request_string(
        "POST",
        target,
        timestamp,
        known("/request/nonce"),
        reserialised.to_string().as_bytes(),
    );
    assert!(!PUBLIC.verify(&text, &signature));

    let stamp = Stamp {
        timestamp: 1_767_225_601,
        nonce: known("/answer/nonce").into(),
        serial: "X".into(),
        signature: from_base64(known("/answer/signature")).unwrap(),
    };
    assert!(stamp.verify(&PUBLIC, known("/answer/body").as_bytes()));
    assert!(!stamp.verify(&PUBLIC, b""));
}

#[test]
fn an_envelope_of_an_independent_implementation_opens_and_any_changed_byte_of_it_does_not() {
    let body = KNOWN["envelope"].to_string();
    let (envelope, plain) = notification::open(&apiv3(), body.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(plain).unwrap(), known("/plain"));
    assert_eq!(envelope.event_type, notification::TRANSACTION_SUCCESS);

    let sealed = from_base64(&envelope.resource.ciphertext).unwrap();
    for at in 0..sealed.len() {
        let mut changed = envelope.clone();
        let mut bytes = sealed.clone();
        bytes[at] ^= 1;
        changed.resource.ciphertext = base64(&bytes);
        assert_eq!(changed.resource.open(&apiv3()), Err(CryptoError::Sealed), "byte {at}");
    }
    for field in ["nonce", "associated_data", "algorithm"] {
        let mut changed = KNOWN["envelope"].clone();
        let old = changed["resource"][field].as_str().unwrap().to_owned();
        changed["resource"][field] = json!(format!("x{}", &old[1..]));
        let fault = notification::open(&apiv3(), changed.to_string().as_bytes()).unwrap_err();
        assert_eq!(fault, EnvelopeFault::Sealed, "{field}");
    }
    let other = ApiV3Key::generate().unwrap();
    assert_eq!(notification::open(&other, body.as_bytes()).unwrap_err(), EnvelopeFault::Sealed);
}

#[test]
fn a_sealed_notification_is_of_the_documented_shape_and_opens_again() {
    let event = Event {
        id: "EV-1",
        create_time: moment(),
        event_type: notification::TRANSACTION_SUCCESS,
        summary: "支付成功",
        original_type: "transaction",
        plain: "{\"明\":\"分\"}".as_bytes(),
    };
    let body = notification::seal(&apiv3(), &event).unwrap();
    let json: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(json["create_time"], "2026-01-01T08:00:00+08:00");
    assert_eq!(json["resource_type"], "encrypt-resource");
    assert_eq!(json["resource"]["original_type"], "transaction");
    assert_eq!(json["resource"]["nonce"].as_str().unwrap().len(), 12);
    let (envelope, plain) = notification::open(&apiv3(), &body).unwrap();
    assert_eq!((envelope.id.as_str(), plain.as_slice()), ("EV-1", event.plain));
    assert_ne!(body, notification::seal(&apiv3(), &event).unwrap(), "a nonce is never used twice");
}

#[test]
fn notifications_that_are_no_envelopes_are_refused() {
    let mut other_type = KNOWN["envelope"].clone();
    other_type["resource_type"] = json!("plain");
    let mut no_id = KNOWN["envelope"].clone();
    no_id["id"] = json!("");
    let long = " ".repeat(notification::BODY_MAX) + &KNOWN["envelope"].to_string();
    for body in [String::new(), "{}".into(), "[]".into(), other_type.to_string(), no_id.to_string(), long] {
        let fault = notification::open(&apiv3(), body.as_bytes()).unwrap_err();
        assert_eq!(fault, EnvelopeFault::Malformed, "{:.60}", body.trim());
    }
    for text in ["", "short", "0123456789abcdefghijABCDEFGHIJ!\n", "0123456789abcdefghijABCDEFGHIJ!?x"] {
        assert!(ApiV3Key::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn keys_and_certificates_are_read_only_in_their_own_form() {
    assert_eq!(PrivateKey::from_pem(&KEY.to_pem().unwrap()).unwrap().to_pem().unwrap(), KEY_PEM);
    assert_eq!(KEY.public_key().unwrap().to_pem().unwrap(), PUBLIC_PEM);
    assert_eq!(PublicKey::from_pem(CERTIFICATE_PEM).unwrap().to_pem().unwrap(), PUBLIC_PEM);
    assert!(PublicKey::from_pem(KEY_PEM).is_err());
    assert!(PrivateKey::from_pem(PUBLIC_PEM).is_err());
    assert!(Certificate::from_pem(PUBLIC_PEM).is_err());
    assert!(PublicKey::from_pem("").is_err());
    assert!(PrivateKey::from_pem(&KEY_PEM[..800]).is_err());
    let certificate = Certificate::from_pem(CERTIFICATE_PEM).unwrap();
    assert_eq!(certificate.serial, known("/serial"));
    assert_eq!(format!("{:?} {:?}", *KEY, apiv3()), "PrivateKey(..) ApiV3Key(..)");
}

#[test]
fn a_made_certificate_has_its_dates_and_a_serial_without_leading_zero() {
    let (from, until) = (moment(), Instant::new(moment().get() + 5 * 365 * 86_400));
    for _ in 0..8 {
        let made = Certificate::issue(&KEY, "Mingfen", from, until).unwrap();
        assert_eq!((made.not_before, made.not_after, made.serial.len()), (from, until, 40));
        assert!(!made.serial.starts_with('0'), "{}", made.serial);
        assert!(made.serial.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'F')));
        assert_eq!(made.public_key.to_pem().unwrap(), PUBLIC_PEM);
    }
}

#[test]
fn the_certificates_answer_opens_for_its_reader_only_and_vouches_for_its_serials() {
    let certificate = Certificate::from_pem(CERTIFICATE_PEM).unwrap();
    let body = certificates::seal(&apiv3(), std::slice::from_ref(&certificate)).unwrap();
    let json: Value = serde_json::from_slice(&body).unwrap();
    let first = &json["data"][0];
    assert_eq!(first["effective_time"], "2026-01-01T08:00:00+08:00");
    assert_eq!(first["encrypt_certificate"]["associated_data"], "certificate");
    assert!(first["encrypt_certificate"].get("original_type").is_none());
    let opened = certificates::open(&apiv3(), &body).unwrap();
    assert_eq!(opened[0].pem, CERTIFICATE_PEM);
    assert!(certificates::open(&ApiV3Key::generate().unwrap(), &body).is_err());
    let mut other = json;
    other["data"][0]["serial_no"] = json!("AB");
    assert!(certificates::open(&apiv3(), other.to_string().as_bytes()).is_err());
}

#[test]
fn wrapped_secrets_open_for_their_purpose_only_and_unchanged_only() {
    let master = MasterKey::generate().unwrap();
    let again = MasterKey::parse(&format!("{}\n", master.to_hex())).unwrap();
    let wrapped = master.wrap("credential.apiv3", b"secret").unwrap();
    assert_eq!(again.unwrap("credential.apiv3", &wrapped).unwrap(), b"secret");
    assert!(master.unwrap("platform.key", &wrapped).is_err());
    assert!(MasterKey::generate().unwrap().unwrap("credential.apiv3", &wrapped).is_err());
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        assert!(master.unwrap("credential.apiv3", &changed).is_err(), "byte {at}");
        assert!(master.unwrap("credential.apiv3", &wrapped[..at]).is_err(), "cut at {at}");
    }
    assert_ne!(master.hmac("csrf", b"s"), master.hmac("other", b"s"));
    assert!(MasterKey::parse("00").is_err());
    assert_eq!(format!("{master:?}"), "MasterKey(..)");
}

#[test]
fn small_tools_do_what_they_say() {
    // NIST's AES-256-GCM test case 14: all-zero key, nonce and block.
    let sealed = aes_gcm_seal(&[0; 32], &[0; 12], b"", &[0; 16]).unwrap();
    assert_eq!(hex::encode(&sealed), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    assert_eq!(aes_gcm_open(&[0; 32], &[0; 12], b"", &sealed).unwrap(), [0; 16]);
    assert_eq!(aes_gcm_seal(&[0; 31], &[0; 12], b"", b""), Err(CryptoError::SymmetricKey));
    assert_eq!(aes_gcm_seal(&[0; 32], &[0; 11], b"", b""), Err(CryptoError::Nonce));
    assert_eq!(sha1_hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert!(constant_eq(b"ab", b"ab") && !constant_eq(b"ab", b"ac") && !constant_eq(b"ab", b"abc"));
    let (one, two) = (random_nonce(32).unwrap(), random_nonce(32).unwrap());
    assert!(one.len() == 32 && one != two && one.bytes().all(|c| c.is_ascii_alphanumeric()));
    assert_eq!(from_base64("YQ"), None, "padding is required");
}

/// The header as three stock SDKs write it: each has its own order, one sends the serial in lower case.
fn sdk_headers(signature: &str) -> [String; 3] {
    let (upper, lower) = ("5157F09E", "5157f09e");
    [
        format!(
            "mchid=\"1900000001\",nonce_str=\"N1\",signature=\"{signature}\",timestamp=\"1767225600\",serial_no=\"{upper}\""
        ),
        format!(
            "mchid=\"1900000001\",serial_no=\"{upper}\",timestamp=\"1767225600\",nonce_str=\"N1\",signature=\"{signature}\""
        ),
        format!(
            "mchid=\"1900000001\",nonce_str=\"N1\",timestamp=\"1767225600\",serial_no=\"{lower}\",signature=\"{signature}\""
        ),
    ]
    .map(|parameters| format!("WECHATPAY2-SHA256-RSA2048 {parameters}"))
}

#[test]
fn the_authorization_headers_of_three_sdks_are_read_alike() {
    let text = request_string("GET", "/v3/certificates", 1_767_225_600, "N1", b"");
    let signature = base64(&KEY.sign_sha256(&text).unwrap());
    for header in sdk_headers(&signature) {
        let read = Authorization::parse(&header).unwrap();
        assert_eq!((read.mchid.as_str(), read.nonce.as_str()), ("1900000001", "N1"));
        assert_eq!((read.timestamp, read.serial.as_str()), (1_767_225_600, "5157F09E"));
        assert!(read.verify(&PUBLIC, "GET", "/v3/certificates", b""));
        assert!(!read.verify(&PUBLIC, "GET", "/v3/certificates?", b""));
        assert!(!read.verify(&PUBLIC, "POST", "/v3/certificates", b""));
        assert_eq!(Authorization::parse(&read.to_string()).unwrap(), read);
    }
}

#[test]
fn an_authorization_header_is_read_in_every_form_that_http_allows() {
    let signature = base64(&[7; 256]);
    let [good, ..] = sdk_headers(&signature);
    let read = Authorization::parse(&good).unwrap();
    for header in [
        good.replace("RSA2048 ", "RSA2048  "),
        good.replace("WECHATPAY2", "wechatpay2"),
        good.clone() + ",",
        good.clone() + " , ,",
        good.clone() + ",x=\"1\"",
        good.replace(",nonce", ", nonce"),
        good.replace(",nonce", "\t,\tnonce"),
        good.replace("nonce_str=", "Nonce_Str = "),
        good.replace("\"N1\"", "N1"),
        good.replace("\"N1\"", "\"\\N1\""),
        format!(" {good} "),
    ] {
        assert_eq!(Authorization::parse(&header).as_ref(), Ok(&read), "{header:.200}");
    }
}

#[test]
fn every_fault_of_an_authorization_header_is_refused_by_name() {
    let signature = base64(&[7; 256]);
    let [good, ..] = sdk_headers(&signature);
    assert!(Authorization::parse(&good).is_ok());
    let whole = HeaderFault::Malformed("Authorization");
    let cases: Vec<(String, HeaderFault)> = vec![
        (String::new(), whole),
        (good.replace("SHA256-", ""), whole),
        (good.replace("RSA2048 ", "RSA2048"), whole),
        (good.replace(",nonce", " nonce"), whole),
        (good.replace(",nonce", ";nonce"), whole),
        (good.replace("\"N1\"", "N1\""), whole),
        (good.replace("\"N1\"", "\"N1"), whole),
        (good.replace("\"N1\"", "\"N\"1\""), whole),
        (good.clone() + ",mchid=\"1900000001\"", HeaderFault::Twice("mchid")),
        (good.replace("nonce_str=\"N1\",", ""), HeaderFault::Missing("nonce_str")),
        (good.replace("\"N1\"", "\"\""), HeaderFault::Malformed("nonce_str")),
        (good.replace("\"N1\"", "\"N 1\""), HeaderFault::Malformed("nonce_str")),
        (good.replace("N1", &"N".repeat(65)), HeaderFault::TooLong("nonce_str")),
        (good.replace("1767225600", "1767225600000"), HeaderFault::Malformed("timestamp")),
        (good.replace("1767225600", "-767225600"), HeaderFault::Malformed("timestamp")),
        (good.replace("1767225600", "+767225600"), HeaderFault::Malformed("timestamp")),
        (good.replace("1767225600", "0767225600"), HeaderFault::Malformed("timestamp")),
        (good.replace("1767225600", ""), HeaderFault::Malformed("timestamp")),
        (good.replace("1900000001", ""), HeaderFault::Malformed("mchid")),
        (good.replace("5157F09E", "5157 F09E"), HeaderFault::Malformed("serial_no")),
        (good.replace(&signature, ""), HeaderFault::Malformed("signature")),
        (good.replace(&signature, "AAAA"), HeaderFault::Malformed("signature")),
        (good.replace(&signature, &signature.replace('=', "")), HeaderFault::Malformed("signature")),
        (good.replace(&signature, &base64(&[7; 1100])), HeaderFault::TooLong("signature")),
        (good + &" ".repeat(2048), HeaderFault::TooLong("Authorization")),
    ];
    for (header, fault) in cases {
        assert_eq!(Authorization::parse(&header), Err(fault), "{header:.200}");
    }
}

fn headers_of(stamp: &Stamp) -> Vec<(String, String)> {
    stamp.headers().map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn read_stamp(headers: &[(String, String)]) -> Result<Stamp, HeaderFault> {
    Stamp::read(|name| headers.iter().find(|h| h.0 == name).map(|h| h.1.as_str()))
}

#[test]
fn a_stamp_is_believed_only_with_a_known_serial_a_fresh_timestamp_and_its_own_body() {
    let stamp = Stamp::sign("PUB_KEY_ID_01", &KEY, moment(), b"body").unwrap();
    let read = read_stamp(&headers_of(&stamp)).unwrap();
    assert_eq!(read, stamp);
    let keys = [AnswerKey { serial: "pub_key_id_01".into(), key: PUBLIC.clone() }];
    let at = |seconds| Instant::new(moment().get() + seconds);
    assert_eq!(read.check(&keys, at(300), b"body"), Ok(()));
    assert_eq!(read.check(&keys, at(-300), b"body"), Ok(()));
    assert_eq!(read.check(&keys, at(301), b"body"), Err(StampFault::Stale));
    assert_eq!(read.check(&keys, at(-301), b"body"), Err(StampFault::Stale));
    assert_eq!(read.check(&keys, moment(), b"bodx"), Err(StampFault::Signature));
    assert_eq!(read.check(&[], moment(), b"body"), Err(StampFault::Serial));
    assert!(stamp.to_text().contains("Wechatpay-Signature-Type: WECHATPAY2-SHA256-RSA2048\n"));
    assert!(!is_fresh(i64::MIN, moment()) && !is_fresh(i64::MAX, Instant::new(-1)));
    assert!(same_serial("ab01", "AB01") && !same_serial("ab01", "AB02"));

    for (at, (name, _)) in headers_of(&stamp).iter().enumerate() {
        let mut less = headers_of(&stamp);
        less.remove(at);
        // The type may be missing: not every institution sends it.
        assert_eq!(read_stamp(&less).is_ok(), name == sign::SIGNATURE_TYPE, "without {name}");
        let mut other = headers_of(&stamp);
        other[at].1 = "\u{7f}".into();
        assert!(read_stamp(&other).is_err(), "malformed {name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_signed_request_verifies_and_no_changed_one_does(
        target in "/v3/[a-z/]{0,20}(\\?[a-z=&%0-9]{0,20})?",
        body in proptest::collection::vec(any::<u8>(), 0..200),
        at in any::<proptest::sample::Index>(),
    ) {
        let who = Signer { mchid: "1900000001".into(), serial: "AB".into(), key: KEY.clone() };
        let signed = Authorization::sign(&who, moment(), "POST", &target, &body).unwrap();
        let read = Authorization::parse(&signed.to_string()).unwrap();
        prop_assert!(read.verify(&PUBLIC, "POST", &target, &body));
        let mut changed = body.clone();
        if changed.is_empty() { changed.push(0) } else { let i = at.index(changed.len()); changed[i] ^= 0x20 }
        prop_assert!(!read.verify(&PUBLIC, "POST", &target, &changed));
        let mut later = read.clone();
        later.timestamp += 1;
        prop_assert!(!later.verify(&PUBLIC, "POST", &target, &body));
        let mut signature = read.clone();
        let i = at.index(signature.signature.len());
        signature.signature[i] ^= 1;
        prop_assert!(!signature.verify(&PUBLIC, "POST", &target, &body));
    }

    #[test]
    fn what_is_sealed_opens_to_the_same_bytes(
        aad in "[a-z]{0,16}", plain in proptest::collection::vec(any::<u8>(), 0..500)
    ) {
        let sealed = notification::Sealed::seal(&apiv3(), None, &aad, &plain).unwrap();
        prop_assert_eq!(sealed.open(&apiv3()).unwrap(), plain);
    }

    #[test]
    fn attach_joined_is_cut_into_the_same_parts(
        tags in proptest::collection::btree_set("[0-9A-Za-z_-]{1,16}", 0..=8),
        parties in proptest::collection::btree_map("[a-z]{1,16}", "[a-z]{1,8}:[0-9A-Za-z_-]{1,9}", 0..=8),
        own in "[ -_a-~明;,]{0,40}",
    ) {
        let declared = Declared { tags: tags.into_iter().collect(), parties };
        match attach::join(&declared, &own) {
            Ok(text) => {
                prop_assert!(text.len() <= attach::MAX);
                prop_assert_eq!(attach::cut(&text).unwrap(), (declared.clone(), own.as_str()));
                let written = format!("{};{}", declared.tags_text(), declared.parties_text());
                prop_assert_eq!(Declared::parse(&written).unwrap(), declared);
            }
            Err(fault) => {
                prop_assert_eq!(fault, AttachFault::TooLong);
                prop_assert!(declared.prefix().len() + own.len() > attach::MAX);
            }
        }
    }
}
