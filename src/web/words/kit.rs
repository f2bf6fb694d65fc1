//! What many pages say of themselves: tables, pages of lists, and the marks between parts of a sentence.
super::texts! {
    table: "（表）", "(table)";
    paging: "分页", "Paging";
    colon: "：", ": ";
    now: "现在", "Now";
    done: "已完成", "done";
    all: "全部", "all";
    total: "合计", "Total";
    show_all: "查看全部", "Show all";
    what_to_do: "怎么办", "What to do";
    filter: "筛选", "Filter";
    remove_filter: "去掉筛选", "Remove filter";
    clear_filters: "去掉筛选", "Clear filters";
    first_page: "回到第一页", "First page";
    next_page: "下一页", "Next page";
    last_page: "没有更多了", "No more";
    none: "无", "none";
    list_mark: "、", ", ";
    comma: "，", ", ";
    clause: "；", "; ";
}
