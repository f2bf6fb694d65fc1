use std::path::Path;

use mingfen::config::{Config, LogFormat};

fn load(toml: Option<&str>, env: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("settings.toml");
    std::fs::write(&file, toml.unwrap_or_default()).unwrap();
    let vars = env.iter().map(|(k, v)| (k.to_string(), v.to_string()));
    Config::from_sources(toml.map(|_| Path::new(&file)), vars)
        .map_err(|e| e.to_string().replace(&dir.path().display().to_string(), "DIR"))
}

#[test]
fn settings_come_from_defaults_then_file_then_environment() {
    let config = load(
        Some("listen = '0.0.0.0:80'\nlog_format = 'json'\npublic_url = 'https://pay.example/'"),
        &[("MINGFEN_LISTEN", "127.0.0.1:81"), ("MINGFEN_ALLOW_PRIVATE_ADDRESSES", "true"), ("HOME", "/x")],
    )
    .unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:81");
    assert_eq!(config.log_format, LogFormat::Json);
    assert!(config.allow_private_addresses);
    assert_eq!(config.public_url, "https://pay.example");
    assert_eq!(config.database_url, "sqlite:mingfen.db");
}

#[test]
fn a_setting_that_does_not_exist_or_fit_is_refused_by_name() {
    let refused = |toml, env: &[_]| load(toml, env).unwrap_err();
    insta::assert_snapshot!(refused(Some("lisen = 'x'"), &[]), @"DIR/settings.toml: there is no setting `lisen`: correct or remove it");
    insta::assert_snapshot!(refused(None, &[("MINGFEN_LISEN", "x")]), @"environment: there is no setting `lisen`: correct or remove it");
    insta::assert_snapshot!(refused(Some("log_format = 'xml'"), &[]), @"DIR/settings.toml: the setting `log_format` must be one of text, json");
    insta::assert_snapshot!(refused(Some("master_key = 12345"), &[]), @"DIR/settings.toml: the setting `master_key` must be a string");
    insta::assert_snapshot!(refused(Some("listen = "), &[]), @"the settings file DIR/settings.toml cannot be read: TOML parse error at line 1, column 10");
    insta::assert_snapshot!(refused(None, &[("MINGFEN_LOGIN_ATTEMPTS_PER_MINUTE", "often")]), @"environment: the setting `login_attempts_per_minute` must be a whole number");
    insta::assert_snapshot!(refused(None, &[("MINGFEN_PUBLIC_URL", "pay.example")]), @"settings: the setting `public_url` must be http(s)://HOST[:PORT]");
}

#[test]
fn the_master_key_is_32_bytes_and_its_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let hex = "1".repeat(64);
    let config = load(None, &[("MINGFEN_MASTER_KEY", &hex)]).unwrap();
    assert_eq!(config.master_key().unwrap().to_hex(), hex);
    assert!(!format!("{config:?}").contains("1111"));

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("master.key");
    std::fs::write(&file, "ERERERERERERERERERERERERERERERERERERERERERE=\n").unwrap();
    let config = Config { master_key_file: Some(file.clone()), ..Config::default() };
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(config.master_key().unwrap_err().to_string().contains("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(config.master_key().unwrap().to_hex(), hex);
    std::fs::write(&file, "short").unwrap();
    assert!(config.master_key().is_err());
    assert!(Config::default().master_key().unwrap_err().to_string().contains("openssl rand"));
}
