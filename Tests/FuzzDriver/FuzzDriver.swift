// What libFuzzer calls. The program is `ringway-fuzz --target=NAME …` with libFuzzer's own words, which leaves words with two dashes
// alone, or `ringway-fuzz --seeds=FOLDER`, which writes the inputs that fuzzing begins with.

import Foundation

/// Set before the first input.
nonisolated(unsafe) private var target = FuzzTarget.stream

@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>,
    _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> CInt {
    let arguments = (0..<Int(count.pointee)).compactMap { words.pointee[$0].map { String(cString: $0) } }
    func value(of name: String) -> String? {
        arguments.first { $0.hasPrefix("--\(name)=") }.map { String($0.dropFirst(name.count + 3)) }
    }
    if let folder = value(of: "seeds") {
        do {
            try writeSeeds(to: URL(fileURLWithPath: folder))
            exit(0)
        } catch {
            fail("\(error)")
        }
    }
    guard let chosen = value(of: "target").flatMap(FuzzTarget.init(rawValue:)) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")
        fail("usage: ringway-fuzz --target=\(names) [-OPTION=VALUE…] [FILE|FOLDER…], or ringway-fuzz --seeds=FOLDER")
    }
    target = chosen
    // Swift's own handlers would keep libFuzzer from writing down the input that crashed.
    for number in [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP] { signal(number, SIG_DFL) }
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    do {
        try target.run(UnsafeBufferPointer(start: bytes, count: count))
    } catch {
        say("\(target): \(error)")
        abort()
    }
    return 0
}

/// A folder for each target, a file for each input.
private func writeSeeds(to folder: URL) throws {
    for target in FuzzTarget.allCases {
        let place = folder.appendingPathComponent(target.rawValue)
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        for (index, seed) in try target.seeds.enumerated() {
            try Data(seed).write(to: place.appendingPathComponent("seed-\(index)"))
        }
    }
}

private func fail(_ text: String) -> Never {
    say(text)
    exit(2)
}

private func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
