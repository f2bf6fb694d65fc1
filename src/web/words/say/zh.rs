//! The sentences in Simplified Chinese.
use super::{Basis, Brief, Counted, Deadline, How, Pace, Refusal, Stands, Term, Told, Waits};
use crate::kernel::state::SettlementState;
use crate::notices::Failure;
use crate::settlement::Need;
use crate::web::kit::format::Count;

pub(super) fn refusal(said: &Refusal<'_>) -> String {
    match said {
        Refusal::Why(code) => code.sentence_zh().to_owned(),
        Refusal::WhyExactly(code, detail) => format!("{}（详情：{detail}）", code.sentence_zh()),
        Refusal::Next(code) => code.advice_zh().to_owned(),
        Refusal::Whole(code) => format!("{}，{}", code.sentence_zh(), code.advice_zh()),
        Refusal::Later(code, minutes) => format!("{}，请 {minutes} 分钟后再试", code.sentence_zh()),
    }
}

pub(super) fn counted(said: &Counted<'_>) -> String {
    match said {
        Counted::Orders(count, more) => format!("{count}{more} 笔"),
        Counted::Split(orders, lines) => format!("{orders} 笔 {lines} 行"),
        Counted::Result(lines, total) => format!("{lines} 行，成功 {total}"),
        Counted::Off(fen) => format!("差额 {fen} 分"),
    }
}

pub(super) fn deadline(said: &Deadline) -> String {
    match said {
        Deadline::Bill(day) => format!("取 {day} 账单并切日"),
    }
}

pub(super) fn brief(said: &Brief) -> String {
    match said {
        Brief::Splits(day, orders, lines, total) => {
            format!("分账指令 · {day} · {orders} 笔 {lines} 行 · {total}")
        }
        Brief::Settlement(day, lines, total) => format!("结算指令 · {day} · {lines} 行 · {total}"),
        Brief::Approvals(day) => format!("机构批准文件 · {day}"),
        Brief::Result(day) => format!("机构回盘 · {day}"),
        Brief::Bill(day, orders, total) => format!("机构账单 · {day} · {orders} 笔 · {total}"),
    }
}

pub(super) fn told(said: &Told<'_>) -> String {
    match said {
        Told::Paid(amount) => format!("支付成功 {amount}"),
        Told::Sent(times) => format!("共发送 {times} 次"),
        Told::FileRefused(code) => format!("机构拒收文件：{code}"),
    }
}

pub(super) fn basis(said: &Basis<'_>) -> String {
    match said {
        Basis::File { rule, version, file, n } => format!(
            "按规则 {rule} v{version} 计算，写入 {file} 第 {n} 笔；机构用自己的账单和批准的版本重算。"
        ),
        Basis::Preview { rule, version } => {
            format!("预览：按付款时生效的规则 {rule} v{version} 与合同费率计算；切日后以机构账单为准。")
        }
        Basis::ExpectedFee(percent) => format!("按合同费率 {percent} 预计"),
        Basis::FeeHow(paid, percent) => format!("{paid} × {percent} （四舍五入到分）"),
    }
}

pub(super) fn how(said: &How<'_>) -> String {
    match said {
        How::Nested(amount) => format!("其中 {amount} 分给下级"),
        How::BearsFee(fee) => format!("承担手续费 {fee}"),
        How::Divided(amount, weight, total) => {
            format!("{amount} 按权重 {weight}/{total} 分，尾差按订单号轮流")
        }
        How::Rest(pool, shares) => format!("可分金额 {pool} − 各方分出 {shares}，含取整尾差"),
        How::FeeOfOthers(fee) => format!("他方承担手续费 +{fee}"),
        How::Tier(from) => format!("{from} 起的档："),
        How::Unmet(condition) => format!("条件不满足，为 0：{condition}"),
        How::Rate(base, of, percent, exact) => {
            format!("{base} {of} × {percent} = {exact} （舍去不足 1 分）")
        }
        How::Fixed(amount) => format!("固定 {amount}"),
        How::Raised(least) => format!("不低于 {least}"),
        How::Capped(most) => format!("封顶 {most}"),
        How::Cut(from, to) => format!("超出剩余额度，由 {from} 截为 {to}"),
    }
}

pub(super) fn term(said: &Term<'_>) -> String {
    match said {
        Term::Party(name) => format!("订单的 {name} 一方"),
        Term::Tier(from, what) => format!("订单满 {from}：{what}"),
        Term::Percent(base, percent) => format!("{base}的 {percent}"),
        Term::Fixed(amount) => format!("固定 {amount}"),
        Term::Least(amount) => format!("至少 {amount}"),
        Term::Most(amount) => format!("至多 {amount}"),
    }
}

const fn line_state(state: SettlementState) -> &'static str {
    match state {
        SettlementState::Sent => "未答复",
        SettlementState::Pending => "处理中",
        SettlementState::Failed => "失败",
        SettlementState::Bounced => "退票",
        SettlementState::Success => "成功",
    }
}

pub(super) fn stands(said: &Stands<'_>) -> String {
    match said {
        Stands::Part(state, count) => format!("{} {count}", line_state(*state)),
        Stands::Whole(all, parts) => format!("共 {all} 行：{parts}"),
        Stands::Line(n, of, state) => format!("第 {n} 行 {of}：{}", line_state(*state)),
        Stands::Outcome(done, Count(0)) => format!("{done} 行成功"),
        Stands::Outcome(done, without) => format!("{done} 行成功，{without} 行失败或退票"),
    }
}

pub(super) fn waits(said: &Waits) -> String {
    match said {
        Waits::For(Need::Cut, _) => "尚未切日".to_owned(),
        Waits::For(Need::Bill, _) => "尚未收到机构账单（BIL 0001），到达后自动切日".to_owned(),
        Waits::For(Need::First, _) => "等首次回盘".to_owned(),
        Waits::For(Need::Final, open) => format!("等最终回盘，{open} 笔未成功"),
        Waits::For(Need::Failed, open) => format!("{open} 笔失败或退票，不能结算"),
        Waits::For(Need::Repeat, _) => "文件作废，订单尚未重新发出".to_owned(),
        Waits::For(Need::Previous, _) => "上一结算文件等首次回盘".to_owned(),
        Waits::More(more) => format!("另有 {more} 项"),
    }
}

pub(super) fn pace(said: &Pace) -> String {
    match said {
        Pace::Every(seconds) => format!("每 {seconds} 秒"),
        Pace::Late(minutes) => format!("迟 {minutes} 分钟"),
    }
}

pub(super) fn failure(said: &Failure) -> String {
    match said {
        Failure::Answered(status) => format!("商户系统返回 HTTP {status}，应返回 200 或 204"),
        Failure::Unsaid => "商户系统返回了 200，但应答内容不是 success".to_owned(),
        Failure::Address(what) => {
            format!(
                "平台不能访问该通知地址（{what}）：地址须在公网并使用 https，请商户更正 notify_url 或其域名解析"
            )
        }
        Failure::Timeout => "商户系统没有在规定时间内应答".to_owned(),
        Failure::Connection => "连接不上商户系统，或连接中断".to_owned(),
        Failure::TooLarge => "商户系统的应答过长".to_owned(),
        Failure::Other(detail) => format!("详情：{detail}"),
    }
}
