// What functions are told by files, and how they refuse it.

import Glibc

extension NetworkFunction {
    /// The words of a file's lines, numbered from 1, without comments (`#` and what follows) and without lines that have none. Ends the
    /// process if it cannot be read.
    public static func lines(of path: String) -> [(number: Int, words: [Substring])] {
        texts(of: path).enumerated().compactMap { index, bytes in
            let words = String(decoding: bytes, as: UTF8.self).prefix { $0 != "#" }.split(
                whereSeparator: \.isWhitespace
            )
            return words.isEmpty ? nil : (index + 1, words)
        }
    }

    /// The bytes of a file's lines, without what ends them. Ends the process if it cannot be read.
    public static func texts(of path: String) -> [[UInt8]] {
        guard let file = fopen(path, "r") else { refuse("\(path): \(String(cString: strerror(errno)))") }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        var texts: [[UInt8]] = []
        while case let count = getline(&line, &capacity, file), count >= 0 {
            var text = [UInt8](UnsafeRawBufferPointer(start: line, count: count))
            if text.last == UInt8(ascii: "\n") { text.removeLast() }
            texts.append(text)
        }
        guard ferror(file) == 0 else { refuse("\(path): \(String(cString: strerror(errno)))") }
        return texts
    }

    /// Says what is wrong and ends the process with status 1.
    public static func refuse(_ text: String) -> Never {
        announce(text)
        exit(1)
    }
}
