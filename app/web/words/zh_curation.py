"""中文：数据能不能离开、为什么不能。"""

TEXT = {
    "left_out": "没有导出的 {count} 份里（一份可能缺几样）：",
    "missing_consent": "来信人没有同意用于训练",
    "missing_deidentified": "还没有人核对去标识",
    "missing_unread": "来信还没有扫描过危险信号",
    "missing_second_signature": "来信有危险信号，还缺第二人签字",
    "missing_filtered": "被筛选条件排除",
    "missing_no_pair": "没有可以对比的文字（草稿没有改到要求的程度，也没有不采用的）",
    "left_out_line": "  {count}  {reason}",
}
