// Reads the recorded conversations of tests/golden/openwire.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace busbar::openwire::test {

/// `who`: 'N' where a connection begins (no bytes), 'C' what the client sent, 'S' the server.
/// `bytes`: one frame with its size prefix.
struct GoldenFrame {
    char who = 'N';
    std::string bytes;
};

struct GoldenFile {
    std::string name;
    std::vector<GoldenFrame> frames;
};

inline GoldenFile readGolden(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    const std::string bytes = content.str();
    GoldenFile golden{path.filename().string(), {}};
    for (std::size_t at = 0; at < bytes.size();) {
        GoldenFrame frame{bytes[at++], {}};
        if (frame.who != 'N') {
            std::size_t size = 0;
            for (std::size_t i = 0; i < 4; ++i)
                size = size << 8 | static_cast<unsigned char>(bytes[at + i]);
            frame.bytes = bytes.substr(at, size + 4);
            at += size + 4;
        }
        golden.frames.push_back(std::move(frame));
    }
    return golden;
}

inline std::vector<GoldenFile> readAllGolden() {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(BUSBAR_GOLDEN_DIR)) {
        if (entry.path().extension() == ".frames") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<GoldenFile> files;
    for (const auto& path : paths) files.push_back(readGolden(path));
    return files;
}

}  // namespace busbar::openwire::test
