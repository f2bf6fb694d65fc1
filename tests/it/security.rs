//! Who knocks at the doors: addresses behind proxies.
use std::net::IpAddr;

use mingfen::people::address::{Told, client, network};
use mingfen::people::{Role, Scope};

use crate::support::acting::Site;
use crate::support::{PASSWORD, TestApp};

const WRONG: &str = "wrong password";

#[test]
fn only_our_own_proxies_say_for_whom_they_ask() {
    let trusted = ["10.0.0.0/8", "2001:db8:f::/48"].map(|net| net.parse().unwrap());
    let of = |peer: &str, x_forwarded_for: &[&str], forwarded: &[&str]| {
        let told = Told { x_forwarded_for: x_forwarded_for.to_vec(), forwarded: forwarded.to_vec() };
        client(peer.parse::<IpAddr>().unwrap(), &told, &trusted).to_string()
    };
    // Nobody else is believed.
    assert_eq!(of("203.0.113.7", &["198.51.100.1"], &["for=198.51.100.1"]), "203.0.113.7");
    assert_eq!(of("10.0.0.1", &[], &[]), "10.0.0.1");
    assert_eq!(of("10.0.0.1", &["198.51.100.1"], &[]), "198.51.100.1");
    assert_eq!(of("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], &[]), "198.51.100.1");
    // What the client wrote itself stands left of what our proxies add.
    assert_eq!(of("10.0.0.1", &["192.0.2.9, 198.51.100.1, 10.0.0.2"], &[]), "198.51.100.1");
    assert_eq!(of("10.0.0.1", &["192.0.2.9", "198.51.100.1"], &[]), "198.51.100.1");
    assert_eq!(of("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &[]), "10.0.0.3");
    // Where it stops being an address, the last one that is known counts.
    assert_eq!(of("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"], &[]), "10.0.0.2");
    assert_eq!(of("10.0.0.1", &[""], &[]), "10.0.0.1");
    // As proxies write them.
    assert_eq!(of("10.0.0.1", &["198.51.100.1:4711"], &[]), "198.51.100.1");
    assert_eq!(of("10.0.0.1", &["[2001:db8::1]:4711"], &[]), "2001:db8::1");
    assert_eq!(of("2001:db8:f::1", &[], &["for=\"[2001:db8::1]\";proto=https"]), "2001:db8::1");
    assert_eq!(of("10.0.0.1", &[], &["For=192.0.2.9, by=10.0.0.1; for=198.51.100.1"]), "198.51.100.1");
    assert_eq!(of("10.0.0.1", &[], &["for=_hidden"]), "10.0.0.1");
    // One of the two may be the client's own: where they differ, neither is believed.
    assert_eq!(of("10.0.0.1", &["198.51.100.1"], &["for=192.0.2.9"]), "10.0.0.1");
    assert_eq!(of("10.0.0.1", &["198.51.100.1"], &["for=198.51.100.1"]), "198.51.100.1");

    assert_eq!(network("198.51.100.1"), "198.51.100.1");
    assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    assert_eq!(network(""), "");
}

#[actix_web::test]
async fn behind_a_proxy_of_ours_every_user_has_an_address_of_his_own() {
    let settings = |trusted: &[&str]| {
        let trusted = trusted.iter().map(|net| net.parse().unwrap()).collect();
        TestApp::configured(move |config| {
            config.login_attempts_per_minute = 3;
            config.trusted_proxies = trusted;
        })
    };
    let attempt = async |site: &Site, from: &str, password: &str| {
        let fields = [("login", "admin"), ("password", password)];
        site.anon().post_from("/login", &fields, &[("x-forwarded-for", from)]).await.status
    };
    let site = Site::of(settings(&["127.0.0.0/8"])).await;
    site.user("admin", Role::Admin, Scope::Platform);
    for _ in 0..3 {
        assert_eq!(attempt(&site, "203.0.113.7", WRONG).await, 401);
    }
    assert_eq!(attempt(&site, "203.0.113.7", PASSWORD).await, 429);
    assert_eq!(attempt(&site, "203.0.113.8", PASSWORD).await, 303);
    let mut raw = site.raw();
    assert_eq!(raw.texts("SELECT ip AS v FROM session"), ["203.0.113.8"]);
    assert_eq!(raw.texts("SELECT ip AS v FROM audit WHERE action = 'user.login'"), ["203.0.113.8"]);

    // Without it the header is anybody's tale: all are the proxy.
    let site = Site::of(settings(&[])).await;
    site.user("admin", Role::Admin, Scope::Platform);
    for n in 0..3 {
        assert_eq!(attempt(&site, &format!("203.0.113.{n}"), WRONG).await, 401);
    }
    assert_eq!(attempt(&site, "203.0.113.8", PASSWORD).await, 429);
}
