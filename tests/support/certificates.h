// Certificates for one test, made with the openssl program in a folder that goes with the object.
#pragma once

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace busbar::test {

/// A certificate authority of its own: what another object issued is not trusted by this one's.
class Certificates {
  public:
    Certificates() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "busbar-tls-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
        folder_ = pattern;
        openssl("req -x509 " + newKey("ca") + " -days 2 -out " + file("ca.pem"));
    }
    ~Certificates() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    Certificates(const Certificates&) = delete;
    Certificates& operator=(const Certificates&) = delete;

    /// Makes NAME.pem and NAME.key; for servers `host` is the name that clients must have asked
    /// for.
    void issue(const std::string& name, const std::string& host = "localhost") {
        std::ofstream(file(name + ".ext")) << "subjectAltName=DNS:" << host << "\n";
        openssl("req " + newKey(name) + " -out " + file(name + ".csr"));
        openssl("x509 -req -days 2 -CAcreateserial -CA " + file("ca.pem") + " -CAkey " +
                file("ca.key") + " -extfile " + file(name + ".ext") + " -in " +
                file(name + ".csr") + " -out " + file(name + ".pem"));
    }
    /// Puts a copy of the file NAME in the place of PLACE, as a renewal does.
    void put(const std::string& name, const std::string& place) { copy(file(name), place); }
    void copy(const std::string& from, const std::string& place) {
        std::filesystem::copy_file(from, file(place + ".new"));
        std::filesystem::rename(file(place + ".new"), file(place));
    }
    void write(const std::string& name, const std::string& text) {
        std::ofstream(file(name)) << text;
    }
    std::string file(const std::string& name) const { return (folder_ / name).string(); }

  private:
    std::string newKey(const std::string& name) const {
        return "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name +
               " -keyout " + file(name + ".key");
    }
    static void openssl(const std::string& arguments) {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
        if (std::system(("openssl " + arguments + " 2>/dev/null").c_str()) != 0)
            throw std::runtime_error("openssl " + arguments + " failed");
    }

    std::filesystem::path folder_;
};

}  // namespace busbar::test
