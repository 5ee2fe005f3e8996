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
        openssl("req -x509 " + newKey("ca", "/CN=ca") + " -days 2 -out " + file("ca.pem"));
        write("index.txt", "");
        write("ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=" + file("index.txt") +
                            "\ndefault_md=sha256\ndefault_crl_days=2\n");
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
        issueTo(name, "/CN=" + name, "DNS:" + host);
    }
    /// `days` below 0: it has expired.
    void issueTo(const std::string& name, const std::string& subject,
                 const std::string& alternatives, int days = 2) {
        write(name + ".ext", "subjectAltName=" + alternatives + "\n");
        openssl("req " + newKey(name, subject) + " -out " + file(name + ".csr"));
        openssl("x509 -req -days " + std::to_string(days) + " -CAcreateserial -CA " +
                file("ca.pem") + " -CAkey " + file("ca.key") + " -extfile " + file(name + ".ext") +
                " -in " + file(name + ".csr") + " -out " + file(name + ".pem"));
    }
    /// Writes crl.pem, with NAME (none where empty) and those before.
    void revoke(const std::string& name) {
        const std::string ca = "ca -config " + file("ca.cnf") + " -cert " + file("ca.pem") +
                               " -keyfile " + file("ca.key");
        if (!name.empty()) openssl(ca + " -revoke " + file(name + ".pem"));
        openssl(ca + " -gencrl -out " + file("crl.pem"));
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
    std::string newKey(const std::string& name, const std::string& subject) const {
        return "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '" + subject +
               "' -keyout " + file(name + ".key");
    }
    static void openssl(const std::string& arguments) {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
        if (std::system(("openssl " + arguments + " 2>/dev/null").c_str()) != 0)
            throw std::runtime_error("openssl " + arguments + " failed");
    }

    std::filesystem::path folder_;
};

}  // namespace busbar::test
