//! Pages that say what went wrong.
super::texts! {
    refused: "没有办成", "Refused";
    forged: "表单已失效", "This form is not valid any more";
    forged_why: "提交的表单不是从本站当前会话发出的，没有做任何改动。", "The form did not come from this site in your current session. Nothing was changed.";
    forged_next: "回到页面重新填写并提交。", "Go back to the page, fill it in and send it again.";
    form_why: "提交的内容不完整或格式不对，没有做任何改动。", "What was sent is incomplete or malformed. Nothing was changed.";
    form_next: "回到页面检查各项后重新提交。", "Go back, check the fields and send again.";
    missing: "没有这个页面", "No such page";
    missing_why: "地址不对，或者您没有查看它的权限。", "The address is wrong, or you may not see what is there.";
    missing_next: "从工作台或列表进入；需要权限请联系管理员。", "Start from the desk or a list; ask an administrator for rights.";
    failed: "系统出错了", "Something failed here";
    failed_why: "这次请求没有完成，没有做任何改动。", "The request was not finished. Nothing was changed.";
    failed_next: "稍后再试；仍不行请把请求号告诉管理员。", "Try again later; if it persists, tell an administrator the request number.";
    back_home: "回到首页", "Back to the start";
    request_no: "请求号", "Request";
}
