//! Pages that say what went wrong.
super::texts! {
    refused: "没有办成", "Refused";
    forged: "表单已失效", "This form is not valid any more";
    forged_why: "提交的表单不是从本站当前会话发出的，没有做任何改动。", "The form did not come from this site in your current session. Nothing was changed.";
    forged_next: "回到页面重新填写并提交。", "Go back to the page, fill it in and send it again.";
    form_why: "提交的内容不完整或格式不对，没有做任何改动。", "What was sent is incomplete or malformed. Nothing was changed.";
    form_next: "回到页面检查各项后重新提交。", "Go back, check the fields and send again.";
    coded_why: "请求内容经过压缩或编码，本站只接收原样内容，没有做任何改动。", "What was sent is compressed or coded; this site takes bodies as they are. Nothing was changed.";
    coded_next: "去掉 Content-Encoding 后重新发送。", "Send it again without Content-Encoding.";
    slow_why: "内容没有在规定时间内传完，没有做任何改动。", "What was sent did not arrive in time. Nothing was changed.";
    slow_next: "检查网络后重新提交。", "Check the network and send it again.";
    busy_why: "本机构同时上传的文件太多，没有做任何改动。", "Too many files of your institution are being uploaded at once. Nothing was changed.";
    busy_next: "等其他上传完成后再试。", "Try again when the others are done.";
    missing: "没有这个页面", "No such page";
    missing_why: "地址不对，或者您没有查看它的权限。", "The address is wrong, or you may not see what is there.";
    missing_next: "从工作台或列表进入；需要权限请联系管理员。", "Start from the desk or a list; ask an administrator for rights.";
    failed: "系统出错了", "Something failed here";
    failed_why: "这次请求没有完成，是否已生效可能未知。", "The request was not finished; whether it took effect may not be known.";
    failed_next: "先看是否已生效，再重试；仍不行请把请求号告诉管理员。", "Look whether it took effect, then try again; if it persists, tell an administrator the request number.";
    back_home: "回到首页", "Back to the start";
    request_no: "请求号", "Request";
}
