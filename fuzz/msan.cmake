# MemorySanitizer has to be told what libraries read and wrote that are built without it: gives
# yuelao_uninstrumented, which the fuzzers link, and libfuzzer, which they link in the place of
# -fsanitize=fuzzer.
add_library(yuelao_uninstrumented OBJECT uninstrumented.cpp)
target_link_libraries(yuelao_uninstrumented PRIVATE OpenSSL::Crypto yuelao::strict)
foreach(function EVP_MAC_update EVP_MAC_final EVP_DigestUpdate EVP_DigestFinal_ex
    EVP_CipherInit_ex EVP_CipherUpdate EVP_CIPHER_CTX_ctrl utf8proc_NFC LLVMFuzzerMutate)
  target_link_options(yuelao_uninstrumented INTERFACE -Wl,--wrap=${function})
endforeach()
target_link_libraries(yuelao_uninstrumented INTERFACE OpenSSL::Crypto utf8proc)
# libFuzzer is built without it, and so is libstdc++. It gets a libstdc++ of its own, or the linker
# would take its strings for ours, or ours for its.
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-resource-dir
  OUTPUT_VARIABLE resources OUTPUT_STRIP_TRAILING_WHITESPACE)
set(archive ${resources}/lib/linux/libclang_rt.fuzzer-${CMAKE_SYSTEM_PROCESSOR}.a)
set(libfuzzer ${CMAKE_CURRENT_BINARY_DIR}/libfuzzer.o)
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libstdc++.a
  OUTPUT_VARIABLE libstdcxx OUTPUT_STRIP_TRAILING_WHITESPACE)
add_custom_command(OUTPUT ${libfuzzer}
  COMMAND ld.bfd -r --force-group-allocation --whole-archive ${archive} --no-whole-archive
    ${libstdcxx} -o ${libfuzzer}
  COMMAND objcopy --wildcard -G main -G LLVMFuzzer* -G __sanitizer_* -G __libfuzzer* ${libfuzzer}
  DEPENDS ${archive}
  VERBATIM)
add_custom_target(yuelao_libfuzzer DEPENDS ${libfuzzer})
