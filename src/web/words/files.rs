//! Files exchanged with an institution, and what it answered.
super::texts! {
    meta: "发布后不再改变；每个文件带签名，并与上一个文件成链", "Never changed once published; each is signed and chained to the one before";
    list: "往来文件", "Files exchanged";
    chain_hint: "上一个文件的指纹写在本文件里，缺一个、换一个都会被发现", "Each names the digest of the one before: a missing or swapped file is found";
    filter: "筛选文件", "Filter files";
    no_files: "还没有文件", "No files yet";
    no_files_next: "切日后发布分账文件（SPL），机构答复后发布结算文件（STL）。", "A day cut publishes the split file (SPL); after the institution's answer follows the settlement file (STL).";
    download: "下载", "Download";
    signature: "签名 .sig", "Signature";
    chain_prev: "上一个文件", "Previous file";
    chain_first: "（链首）", "(first of the chain)";
    bundle: "批准文件指纹", "Approvals";
    first_result: "受理结果", "First result";
    final_result: "执行结果", "Final result";
    waiting_first: "待机构验证", "Awaiting verification";
    waiting_final: "待机构执行", "Awaiting execution";
    accepted: "验证通过", "Verified";
    executed: "已执行", "Executed";
    partly_answered: "部分已答复", "Partly answered";
    executed_failures: "已执行，有失败", "Executed, with failures";
    bounced_later: "执行后退票", "Some came back";
    day_still: "停滞的业务日", "A day that stands still";
    day_still_hint: "下列各项办妥后自动结算", "It is settled by itself once all of this is done";
    still_what: "缺什么", "What is missing";
    still_who: "谁能处理", "Who can act";
    by_institution: "机构处理", "The institution";
    by_platform: "平台处理", "The platform";
    by_both: "双方核对", "Both together";
    received: "已收到", "Received";
}
