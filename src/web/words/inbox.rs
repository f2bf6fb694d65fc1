//! An institution's inbox.
super::texts! {
    meta: "取文件、自己重算、签名答复", "Fetch, recompute by yourself, answer with your signature";
    note: "平台的文件只是提案：清分与入账由贵机构核验后执行。没有贵机构签名的结果，任何状态都不会变成已入账。", "The platform's files are proposals. You verify, clear and settle; without a result signed by you nothing ever counts as credited.";
    waiting: "待处理文件", "Files waiting for you";
    waiting_hint: "下载文件与签名，验证后上传结果", "Download file and signature, verify, upload the result";
    no_waiting: "没有待处理的文件", "Nothing waits for you";
    no_waiting_next: "平台切日后，新的分账文件会出现在这里。", "After the next day cut the new split file appears here.";
    answered: "已答复文件", "Answered files";
    answered_hint: "结果以贵机构签名的回盘为准", "As your signed results say";
    no_answered: "还没有答复过文件", "Nothing answered yet";
    no_answered_next: "上传回盘后在这里查看验证与执行结果。", "Upload a result; verification and execution are shown here.";
    upload: "上传回盘或批准文件", "Upload results or approvals";
    upload_file: "文件（.ret 或 APR_….json）", "File (.ret or APR_….json)";
    upload_file_help: "文件名须与规范一致，内容上传后不再改变。", "Its name must follow the format; it never changes once uploaded.";
    upload_sig: "签名（.sig）", "Signature (.sig)";
    upload_sig_help: "用贵机构文件私钥对整个文件的 RSA-SHA256 签名，base64。", "RSA-SHA256 over the whole file by your file key, base64.";
    upload_do: "验签并导入", "Check and import";
    upload_result_done: "回盘已验签并导入。", "The result was checked and imported.";
    upload_bundle_done: "批准文件已验签并导入，新的规则按其时间生效。", "The approvals were checked and imported; their rules count from their times on.";
    upload_bill_done: "账单已验签并导入。", "The bill was checked and imported.";
    upload_again: "同一文件此前已导入，没有做任何改动。", "This very file was imported before. Nothing was changed.";
    verify_yourself: "自己验证", "Verify by yourself";
    verify_yourself_why: "用贵机构自己的账单与批准文件重算全天；退出码 0 表示每一分都说得清。", "Recompute the day from your own bill and approvals; exit status 0 means every fen is explained.";
    bundle_in_force: "生效的批准文件", "Approvals in force";
    issued_at: "签发时间", "Issued at";
    no_bundle: "还没有批准文件", "No approvals yet";
    no_bundle_next: "上传签名的批准文件（APR），商户与规则才会生效。", "Upload signed approvals (APR); merchants and rules count only then.";
}
