// The simplest network function: every packet goes on to the next step of the rules, untouched.

import NetLib

@main
enum SimpleForward {
    static func main() { NetworkFunction.run { _ in .next } }
}
