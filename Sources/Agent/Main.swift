// Where the process begins.

import CDPDK

@main
enum Main {
    /// On the main thread, because the C library takes what is said of its heap only while there is no other thread yet.
    @MainActor
    static func main() async {
        cdpdk_heap_in_steps()
        await RingwayCommand.main()
    }
}
