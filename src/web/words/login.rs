//! The login.
super::texts! {
    title: "登录", "Log in";
    name: "登录名", "Login name";
    password: "密码", "Password";
    help: "账号由平台管理员开通；30 分钟不操作会自动退出。", "An administrator opens accounts; after 30 idle minutes you are logged out.";
}
