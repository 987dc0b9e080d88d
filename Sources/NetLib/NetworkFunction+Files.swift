// What functions are told by files, and how they refuse it.

import Glibc

extension NetworkFunction {
    /// The lines of a file, numbered from 1, without comments (`#` and what follows) and without empty ones. Ends the process if it
    /// cannot be read.
    public static func lines(of path: String) -> [(number: Int, words: [Substring])] {
        guard let file = fopen(path, "r") else { refuse("\(path): \(String(cString: strerror(errno)))") }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        var lines: [(Int, [Substring])] = []
        var number = 0
        while getline(&line, &capacity, file) >= 0, let text = line {
            number += 1
            let words = String(cString: text).prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            if !words.isEmpty { lines.append((number, words)) }
        }
        return lines
    }

    /// Says what is wrong and ends the process with status 1.
    public static func refuse(_ text: String) -> Never {
        announce(text)
        exit(1)
    }
}
