//! Tables and columns as Diesel sees them, on both databases; a test compares this page with each of them.
#![allow(missing_docs)]
use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    audit (id) {
        id -> BigInt,
        at -> BigInt,
        actor -> Text,
        action -> Text,
        object -> Text,
        before_json -> Nullable<Text>,
        after_json -> Nullable<Text>,
        request_id -> Text,
        ip -> Text,
    }
}

table! {
    platform_merchant (id) {
        id -> BigInt,
        sp_mchid -> Text,
        sp_appid -> Text,
        name -> Text,
        created_at -> BigInt,
    }
}

table! {
    credential (id) {
        id -> BigInt,
        platform_merchant_id -> BigInt,
        serial -> Text,
        public_key_pem -> Text,
        apiv3_key_wrapped -> Binary,
        answer_mode -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        language -> Text,
    }
}

table! {
    request_nonce (credential_id, nonce) {
        credential_id -> BigInt,
        nonce -> Text,
        seen_at -> BigInt,
        request_sha256 -> Nullable<Text>,
    }
}

table! {
    platform_key (id) {
        id -> BigInt,
        purpose -> Text,
        serial -> Text,
        certificate_pem -> Text,
        public_key_id -> Text,
        public_key_pem -> Text,
        private_key_wrapped -> Binary,
        valid_from -> BigInt,
        valid_to -> Nullable<BigInt>,
        version -> BigInt,
    }
}

table! {
    institution (id) {
        id -> BigInt,
        code -> Text,
        name -> Text,
        platform_code -> Text,
        order_prefix -> Text,
        result_encoding -> Text,
        created_at -> BigInt,
        documents -> Text,
    }
}

table! {
    channel (id) {
        id -> BigInt,
        institution_id -> BigInt,
        #[sql_name = "channel"]
        name -> Text,
        language -> Text,
        base_url -> Text,
        sp_mchid -> Text,
        sp_appid -> Text,
        version -> BigInt,
        created_at -> BigInt,
    }
}

table! {
    channel_key (id) {
        id -> BigInt,
        channel_id -> BigInt,
        serial -> Text,
        private_key_wrapped -> Binary,
        apiv3_key_wrapped -> Binary,
        valid_from -> Nullable<BigInt>,
        valid_to -> Nullable<BigInt>,
    }
}

table! {
    institution_key (id) {
        id -> BigInt,
        institution_id -> BigInt,
        purpose -> Text,
        channel_id -> Nullable<BigInt>,
        key_id -> Text,
        public_key_pem -> Text,
        valid_from -> BigInt,
        valid_to -> Nullable<BigInt>,
    }
}

table! {
    exchanged_file (id) {
        id -> BigInt,
        institution_id -> BigInt,
        direction -> Text,
        kind -> Text,
        name -> Text,
        business_date -> Integer,
        seq -> Integer,
        sha256 -> Text,
        size -> BigInt,
        orders -> BigInt,
        lines -> BigInt,
        total -> BigInt,
        previous_sha256 -> Nullable<Text>,
        approvals_sha256 -> Nullable<Text>,
        created_at -> BigInt,
        recorded_at -> BigInt,
    }
}

table! {
    file_result (id) {
        id -> BigInt,
        file_id -> BigInt,
        ret_file_id -> BigInt,
        stage -> Text,
        seq -> Integer,
        code -> Text,
        lines -> BigInt,
        success_total -> BigInt,
        created_at -> BigInt,
        imported_at -> BigInt,
    }
}

table! {
    file_standing (file_id) {
        file_id -> BigInt,
        institution_id -> BigInt,
        kind -> Text,
        state -> Text,
        expected -> BigInt,
        succeeded -> BigInt,
        failed -> BigInt,
        pending -> BigInt,
        bounced -> BigInt,
        run_complete -> Integer,
        answered_at -> Nullable<BigInt>,
        settled_by -> Nullable<BigInt>,
        requeues -> Nullable<BigInt>,
    }
}

table! {
    result_line (id) {
        id -> BigInt,
        file_result_id -> BigInt,
        n -> Integer,
        status -> Text,
        amount -> BigInt,
        inst_serial -> Text,
        path -> Text,
        done_at -> Text,
        err_code -> Text,
        err_msg -> Text,
    }
}

table! {
    approvals_bundle (id) {
        id -> BigInt,
        institution_id -> BigInt,
        file_id -> BigInt,
        sha256 -> Text,
        seq -> Integer,
        issued_at -> BigInt,
        body -> Binary,
    }
}

table! {
    sub_merchant (id) {
        id -> BigInt,
        merchant -> Text,
        platform_merchant_id -> BigInt,
        name -> Text,
        created_at -> BigInt,
    }
}

table! {
    enrolment (id) {
        id -> BigInt,
        sub_merchant_id -> BigInt,
        institution_id -> BigInt,
        inst_merchant_no -> Text,
        created_at -> BigInt,
    }
}

table! {
    receiver (id) {
        id -> BigInt,
        institution_id -> BigInt,
        #[sql_name = "receiver"]
        receiver_key -> Text,
        name -> Text,
        role -> Text,
    }
}

table! {
    app_user (id) {
        id -> BigInt,
        login -> Text,
        name -> Text,
        role -> Text,
        institution_id -> Nullable<BigInt>,
        sub_merchant_id -> Nullable<BigInt>,
        password_hash -> Text,
        created_at -> BigInt,
        disabled_at -> Nullable<BigInt>,
    }
}

table! {
    session (token_sha256) {
        token_sha256 -> Text,
        user_id -> BigInt,
        created_at -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
        ip -> Text,
        user_agent -> Text,
    }
}

table! {
    login_attempt (key) {
        key -> Text,
        ahead -> BigInt,
        last_at -> BigInt,
    }
}

table! {
    security_event (business_date, kind, who, origin, what) {
        business_date -> Integer,
        kind -> Text,
        who -> Text,
        origin -> Text,
        what -> Text,
        times -> BigInt,
        first_at -> BigInt,
        last_at -> BigInt,
    }
}

table! {
    rule_version (id) {
        id -> BigInt,
        institution_id -> BigInt,
        rule -> Text,
        version -> Integer,
        digest -> Text,
        canonical -> Text,
        approved_at -> BigInt,
    }
}

table! {
    pay_order (id) {
        id -> BigInt,
        order_no -> Text,
        platform_merchant_id -> BigInt,
        out_trade_no -> Text,
        content_sha256 -> Text,
        sub_merchant_id -> BigInt,
        institution_id -> BigInt,
        credential_id -> BigInt,
        channel -> Text,
        product -> Text,
        tags -> Text,
        parties -> Text,
        amount -> BigInt,
        description -> Text,
        attach -> Text,
        notify_url -> Text,
        time_expire -> Nullable<BigInt>,
        created_at -> BigInt,
        carried -> Nullable<Text>,
        language -> Text,
    }
}

table! {
    order_event (id) {
        id -> BigInt,
        order_id -> BigInt,
        at -> BigInt,
        kind -> Text,
        raw_business_date -> Nullable<Integer>,
        raw_sha256 -> Nullable<Text>,
        reason -> Nullable<Text>,
        code -> Nullable<Text>,
        words -> Nullable<Text>,
        amount -> Nullable<BigInt>,
        prepay -> Nullable<Text>,
    }
}

table! {
    raw_message (business_date, sha256) {
        business_date -> Integer,
        sha256 -> Text,
        institution_id -> BigInt,
        kind -> Text,
        received_at -> BigInt,
        headers -> Text,
        body -> Binary,
    }
}

table! {
    payment_key (inst_order_no, institution_id, channel) {
        inst_order_no -> Text,
        order_id -> BigInt,
        business_date -> Integer,
        institution_id -> BigInt,
        channel -> Text,
    }
}

table! {
    payment (business_date, order_id) {
        business_date -> Integer,
        order_id -> BigInt,
        inst_order_no -> Text,
        institution_id -> BigInt,
        sub_merchant_id -> BigInt,
        platform_merchant_id -> BigInt,
        channel -> Text,
        product -> Text,
        paid -> BigInt,
        paid_at -> BigInt,
        received_at -> BigInt,
        preview_rule -> Nullable<Text>,
        preview_digest -> Nullable<Text>,
        raw_business_date -> Integer,
        raw_sha256 -> Text,
        entry_id -> Nullable<BigInt>,
        total -> Nullable<BigInt>,
        payer_total -> Nullable<BigInt>,
        particulars -> Nullable<Text>,
    }
}

table! {
    orphan_payment (inst_order_no, institution_id, channel) {
        inst_order_no -> Text,
        institution_id -> BigInt,
        order_no -> Text,
        paid -> BigInt,
        paid_at -> BigInt,
        received_at -> BigInt,
        raw_business_date -> Integer,
        raw_sha256 -> Text,
        channel -> Text,
        reason -> Nullable<Text>,
        currency -> Nullable<Text>,
        total -> Nullable<BigInt>,
    }
}

table! {
    orphan_end (inst_order_no, institution_id, channel) {
        inst_order_no -> Text,
        institution_id -> BigInt,
        channel -> Text,
        how -> Text,
        words -> Text,
        actor -> Text,
        at -> BigInt,
    }
}

table! {
    outbox (id) {
        id -> BigInt,
        subject_id -> BigInt,
        event_id -> Text,
        url -> Text,
        credential_id -> BigInt,
        created_at -> BigInt,
        attempts -> Integer,
        next_at -> BigInt,
        done_at -> Nullable<BigInt>,
        given_up_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        subject -> Text,
        language -> Text,
    }
}

table! {
    job_lease (name) {
        name -> Text,
        holder -> Text,
        beat -> BigInt,
    }
}

table! {
    job_run (job) {
        job -> Text,
        started_at -> BigInt,
        ended_at -> BigInt,
        next_due -> Nullable<BigInt>,
        runs -> BigInt,
        failures -> BigInt,
        done -> BigInt,
        failed_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
    }
}

table! {
    task (id) {
        id -> BigInt,
        kind -> Text,
        subject -> Text,
        asked_by -> Text,
        asked_at -> BigInt,
        state -> Text,
        lease -> Text,
        holder -> Text,
        attempts -> BigInt,
        phase -> Text,
        done -> BigInt,
        total -> Nullable<BigInt>,
        cancel_asked_by -> Nullable<Text>,
        cancel_asked_at -> Nullable<BigInt>,
        started_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        result_file -> Nullable<Text>,
        error_code -> Nullable<Text>,
        error_detail -> Nullable<Text>,
    }
}

table! {
    bill (id) {
        id -> BigInt,
        institution_id -> BigInt,
        business_date -> Integer,
        file_id -> BigInt,
        sha256 -> Text,
        orders -> BigInt,
        total_paid -> BigInt,
        recorded_at -> BigInt,
    }
}

table! {
    difference (id) {
        id -> BigInt,
        institution_id -> BigInt,
        business_date -> Integer,
        kind -> Text,
        inst_order_no -> Text,
        order_no -> Text,
        ours -> Nullable<Text>,
        theirs -> Nullable<Text>,
        found_at -> BigInt,
    }
}

table! {
    day_cut (institution_id, business_date, seq) {
        institution_id -> BigInt,
        business_date -> Integer,
        seq -> Integer,
        bill_id -> BigInt,
        approvals_sha256 -> Text,
        created_at -> BigInt,
        more -> Integer,
    }
}

table! {
    bill_order (business_date, institution_id, bill_id, paid_at, inst_order_no) {
        business_date -> Integer,
        institution_id -> BigInt,
        bill_id -> BigInt,
        paid_at -> BigInt,
        inst_order_no -> Text,
        order_no -> Text,
        merchant -> Text,
        channel -> Text,
        product -> Text,
        tags -> Text,
        parties -> Text,
        paid -> BigInt,
        fee -> BigInt,
        subsidy -> BigInt,
        sub_merchant_id -> Nullable<BigInt>,
        preview_digest -> Nullable<Text>,
    }
}

table! {
    bill_source (bill_id, file_id) {
        bill_id -> BigInt,
        file_id -> BigInt,
    }
}

table! {
    split_order (file_id, n, business_date, institution_id) {
        business_date -> Integer,
        institution_id -> BigInt,
        file_id -> BigInt,
        n -> Integer,
        bill_id -> BigInt,
        paid_at -> BigInt,
        inst_order_no -> Text,
        reason -> Nullable<Text>,
        rule_id -> Nullable<BigInt>,
        lines -> Text,
    }
}

table! {
    unsplit_order (file_id, n) {
        file_id -> BigInt,
        n -> Integer,
        institution_id -> BigInt,
        business_date -> Integer,
        sub_merchant_id -> Nullable<BigInt>,
        order_no -> Text,
        inst_order_no -> Text,
        paid_at -> BigInt,
        paid -> BigInt,
        reason -> Text,
    }
}

table! {
    settlement_input (file_id, name) {
        file_id -> BigInt,
        name -> Text,
        sha256 -> Text,
        total -> BigInt,
    }
}

table! {
    settlement_line (file_id, kind, n) {
        file_id -> BigInt,
        n -> Integer,
        kind -> Text,
        settlement_id -> Nullable<Text>,
        receiver -> Text,
        inst_receiver_no -> Nullable<Text>,
        role -> Nullable<Text>,
        splits -> BigInt,
        returns -> BigInt,
        debts -> BigInt,
        carried_in -> BigInt,
        requeued -> BigInt,
        amount -> BigInt,
        order_count -> BigInt,
        settle_date -> Nullable<Integer>,
        reason -> Nullable<Text>,
    }
}

table! {
    ledger_entry (id) {
        id -> BigInt,
        institution_id -> BigInt,
        business_date -> Integer,
        of_date -> Integer,
        kind -> Text,
        evidence -> Text,
        items -> BigInt,
        created_at -> BigInt,
    }
}

table! {
    posting (entry_id, idx) {
        entry_id -> BigInt,
        idx -> Integer,
        account -> Text,
        party -> Text,
        amount -> BigInt,
    }
}

table! {
    ledger_link (institution_id, business_date, seq) {
        institution_id -> BigInt,
        business_date -> Integer,
        seq -> BigInt,
        entry_id -> BigInt,
        sha256 -> Text,
    }
}

table! {
    ledger_day (institution_id, business_date, account, party) {
        institution_id -> BigInt,
        business_date -> Integer,
        account -> Text,
        party -> Text,
        amount -> BigInt,
    }
}

table! {
    ledger_balance (institution_id, business_date, account, party) {
        institution_id -> BigInt,
        business_date -> Integer,
        account -> Text,
        party -> Text,
        amount -> BigInt,
    }
}

table! {
    custody_day (institution_id, business_date, state) {
        institution_id -> BigInt,
        business_date -> Integer,
        state -> Text,
        evidence -> Text,
        at -> BigInt,
    }
}

joinable!(credential -> platform_merchant (platform_merchant_id));
joinable!(request_nonce -> credential (credential_id));
joinable!(exchanged_file -> institution (institution_id));
joinable!(file_standing -> exchanged_file (file_id));
joinable!(result_line -> file_result (file_result_id));
joinable!(approvals_bundle -> institution (institution_id));
joinable!(approvals_bundle -> exchanged_file (file_id));
joinable!(sub_merchant -> platform_merchant (platform_merchant_id));
joinable!(enrolment -> sub_merchant (sub_merchant_id));
joinable!(enrolment -> institution (institution_id));
joinable!(channel -> institution (institution_id));
joinable!(channel_key -> channel (channel_id));
joinable!(receiver -> institution (institution_id));
joinable!(app_user -> institution (institution_id));
joinable!(app_user -> sub_merchant (sub_merchant_id));
joinable!(session -> app_user (user_id));
joinable!(rule_version -> institution (institution_id));
joinable!(pay_order -> platform_merchant (platform_merchant_id));
joinable!(pay_order -> sub_merchant (sub_merchant_id));
joinable!(pay_order -> institution (institution_id));
joinable!(pay_order -> credential (credential_id));
joinable!(order_event -> pay_order (order_id));
joinable!(orphan_payment -> institution (institution_id));
joinable!(posting -> ledger_entry (entry_id));
joinable!(custody_day -> institution (institution_id));
joinable!(bill -> institution (institution_id));
joinable!(bill -> exchanged_file (file_id));
joinable!(difference -> institution (institution_id));
joinable!(day_cut -> institution (institution_id));
joinable!(day_cut -> bill (bill_id));
joinable!(bill_source -> bill (bill_id));
joinable!(bill_source -> exchanged_file (file_id));
joinable!(settlement_input -> exchanged_file (file_id));
joinable!(settlement_line -> exchanged_file (file_id));

allow_tables_to_appear_in_same_query!(
    audit,
    platform_merchant,
    credential,
    request_nonce,
    platform_key,
    institution,
    channel,
    channel_key,
    institution_key,
    exchanged_file,
    file_result,
    file_standing,
    result_line,
    approvals_bundle,
    sub_merchant,
    enrolment,
    receiver,
    app_user,
    session,
    login_attempt,
    security_event,
    rule_version,
    pay_order,
    order_event,
    raw_message,
    payment_key,
    payment,
    orphan_payment,
    orphan_end,
    outbox,
    job_lease,
    job_run,
    task,
    bill,
    difference,
    day_cut,
    bill_order,
    bill_source,
    split_order,
    unsplit_order,
    settlement_input,
    settlement_line,
    ledger_entry,
    posting,
    ledger_link,
    ledger_day,
    ledger_balance,
    custody_day,
);
