// Where the process begins.

import Agent
import CDPDK
// Only so that the linker is told of all that it consists of.
import Foundation

@main
enum Main {
    /// On the main thread, because the C library takes what is said of its heap only while there is no other thread yet.
    @MainActor
    static func main() async {
        cdpdk_heap_in_steps()
        await RingwayCommand.main()
    }
}
