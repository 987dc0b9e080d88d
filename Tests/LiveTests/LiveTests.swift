// The suite that all live tests belong to: the real executable, in network namespaces of its own, spoken to by the programs that
// operators use. One test at a time; nothing outside those namespaces sees a packet.

import Testing

@Suite(
    "Live switch",
    .serialized,
    .timeLimit(.minutes(2)),
    .enabled(if: Requirements.missing == nil, Comment(rawValue: Requirements.reason))
)
enum LiveTests {}
