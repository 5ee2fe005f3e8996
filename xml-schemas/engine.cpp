// Finding and loading the module.
#include "xml-schemas/engine.h"

#include <dlfcn.h>

#include <array>
#include <filesystem>
#include <mutex>

namespace busbar::xml {
namespace {

/// Beside the program (a build tree), or where `cmake --install` puts it.
std::string modulePath() {
    std::error_code failed;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
    const auto directory = program.parent_path();
    const auto beside = directory / BUSBAR_XML_MODULE;
    if (std::filesystem::exists(beside, failed)) return beside.string();
    return (directory.parent_path() / "lib/busbar" / BUSBAR_XML_MODULE).lexically_normal().string();
}

Error cannot(const std::string& why) {
    return {ErrorCode::unavailable, "XML cannot be read: " + why};
}

std::string lastError() {
    const char* text = ::dlerror();  // NOLINT(concurrency-mt-unsafe): glibc keeps one a thread
    return text ? text : "unknown";
}

Result<Engine*> load() {
    const std::string path = modulePath();
    void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!module) return cannot(lastError());
    const auto version = reinterpret_cast<const char* (*)()>(::dlsym(module, kVersionSymbol));
    const auto make = reinterpret_cast<Engine* (*)()>(::dlsym(module, kEngineSymbol));
    if (!version || !make) return cannot(path + " is not the module of this program");
    if (std::string_view(version()) != BUSBAR_VERSION) {
        return cannot(path + " is of version " + version() + ", this program of " + BUSBAR_VERSION +
                      ": install both from one package");
    }
    return make();
}

}  // namespace

Result<Engine*> engine() {
    static std::mutex mutex;
    static Engine* loaded = nullptr;
    const std::lock_guard lock(mutex);
    if (loaded) return loaded;
    auto engine = load();
    if (engine) loaded = *engine;
    return engine;
}

}  // namespace busbar::xml
